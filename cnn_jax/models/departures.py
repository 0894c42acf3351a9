"""The list "Differs from the paper" that stands in the docstring of every architecture file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cnn_jax.models.network import Network

HEADING = re.compile(r"\bdiffers?\s+from\s+the\s+paper", re.IGNORECASE)
ITEM = re.compile(r"(?:^|\n)\s*[-*] ")


class Departures(NamedTuple):
    """One paragraph of such a list.

    Attributes:
        variants: of which it speaks; empty: of all.
        as_others: the variants of which the same is said.
        lines: the heading, and each item after a dash.
    """

    variants: set[str]
    as_others: set[str]
    lines: list[str]


def departures(kind: type[Network], variant: str, variants: Iterable[str]) -> list[str]:
    """Returns what a network does otherwise than its paper, as its file says.

    A paragraph of the docstring that says "differs from the paper" counts with the list in it or
    after it. Where variants stand in backticks before these words, it speaks of those alone; where
    it goes on "as `another`", what is said of the other holds as well.

    Args:
        kind: class of the network.
        variant: of the network, the empty string where it has none.
        variants: all that the network has.

    Returns:
        The paragraphs, a line for every heading and every item; empty where the file has none.
    """
    told = list(_told(sys.modules[kind.__module__].__doc__ or "", set(variants)))
    wanted = {variant}
    for one in reversed(told):  # the others stand before those that are like them
        if one.variants & wanted:
            wanted |= one.as_others
    return [line for one in told if not one.variants or one.variants & wanted for line in one.lines]


def _told(text: str, variants: set[str]) -> Iterator[Departures]:
    for heading, items in _paragraphs(text):
        if match := HEADING.search(heading):
            before, after = (
                set(re.findall(r"`([^`]+)`", part)) & variants
                for part in (heading[: match.start()], heading[match.end() :])
            )
            lines = [heading, *(f"- {item}" for item in items)]
            yield Departures(before, after - before if before else set(), lines)


def _paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Returns the paragraphs, each with the list that is in it or comes after it."""
    paragraphs: list[tuple[str, list[str]]] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        heading, *items = (" ".join(part.split()) for part in ITEM.split(block))
        if paragraphs and not heading and paragraphs[-1][0].endswith(":"):
            paragraphs[-1][1].extend(items)
        else:
            paragraphs.append((heading, items))
    return paragraphs
