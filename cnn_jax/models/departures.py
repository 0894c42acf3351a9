"""The list "Differs from the paper" that stands in the docstring of every architecture file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from cnn_jax.models.network import Network

HEADING = re.compile(r"\bdiffers?\s+from\s+the\s+paper", re.IGNORECASE)
ITEM = re.compile(r"(?:^|\n)\s*[-*] ")


def departures(kind: type[Network], variant: str, variants: Iterable[str]) -> list[str]:
    """Returns what a network does otherwise than its paper, as its file says.

    A paragraph of the docstring that says "differs from the paper" counts with the list in it or
    behind it. Where variants stand in backticks before these words, it speaks of those alone; where
    it goes on "as `another`", what is said of the other holds as well.

    Args:
        kind: class of the network.
        variant: of the network, the empty string where it has none.
        variants: all that the network has.

    Returns:
        One sentence or item for each departure; empty where the file lists none.
    """
    known = set(variants)
    found: list[str] = []
    for heading, items in _paragraphs(sys.modules[kind.__module__].__doc__ or ""):
        said = HEADING.search(heading)
        if said is None:
            continue
        subjects = _words(heading[: said.start()]) & known
        others = _words(heading[said.end() :]) & known if subjects else set()
        if subjects and variant not in subjects:
            continue
        for other in sorted(others - subjects):
            found += departures(kind, other, known)
        found += items or [heading]
    return found


def _paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Returns the paragraphs, each with the list that is in it or comes behind it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        heading, *items = (" ".join(part.split()) for part in ITEM.split(block))
        if found and not heading and found[-1][0].endswith(":"):
            found[-1][1].extend(items)
        else:
            found.append((heading, items))
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))
