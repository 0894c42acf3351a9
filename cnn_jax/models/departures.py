"""The list "Differs from the paper" that stands in the docstring of every architecture file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from cnn_jax.models.network import Network

HEADING = re.compile(r"\bdiffers?\s+from\s+the\s+paper", re.IGNORECASE)


def departures(kind: type[Network], variant: str, variants: Iterable[str]) -> list[str]:
    """Returns what a network does otherwise than its paper, as its file says.

    A paragraph of the docstring that says "differs from the paper" counts with the list behind it.
    Where its heading names variants in backticks, it speaks of those alone.

    Args:
        kind: class of the network.
        variant: of the network, the empty string where it has none.
        variants: all that the network has.

    Returns:
        One sentence or item for each departure; empty where the file lists none.
    """
    return [
        item
        for heading, items in _paragraphs(sys.modules[kind.__module__].__doc__ or "")
        if (named := _named(heading, variants)) is not None and (not named or variant in named)
        for item in items or [heading]
    ]


def _paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Returns the paragraphs, each with the list that is in it or comes behind it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        heading, *items = re.split(r"(?:^|\n)\s*[-*] ", block)
        listed = [" ".join(item.split()) for item in items]
        if found and not heading.strip() and found[-1][0].endswith(":"):
            found[-1][1].extend(listed)
        else:
            found.append((" ".join(heading.split()), listed))
    return found


def _named(heading: str, variants: Iterable[str]) -> set[str] | None:
    """Returns the variants that a heading speaks of; None where it is about something else.

    In `x` differs from the paper as `y`, only what stands before counts, unless nothing does.
    """
    said = HEADING.search(heading)
    if said is None:
        return None
    before, after = heading[: said.start()], heading[said.end() :].partition(":")[0]
    for part in (before, after):
        if words := set(re.findall(r"`([^`]+)`", part)) & set(variants):
            return words
    return set()
