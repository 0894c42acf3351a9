"""What a declared key of the configuration is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MATHS = "maths"  # changes the numbers: part of the config hash, must agree on resume
RUN = "run"  # does not: paths, logging, devices, prefetch


@dataclass(frozen=True)
class Key:
    """One declared key.

    Attributes:
        default: the value when nobody sets it; None for an optional key.
        kind: `MATHS` or `RUN`.
        meaning: one line, with the unit where there is one.
        choices: the allowed words, where the key is a word.
        low: the smallest allowed number.
        high: the largest allowed number.
        positive: whether a number must be above zero.
        optional: the type of an optional key (default None), else None.
        traced: whether it reaches a compiled step as an array alone: runs that differ in nothing
            else share a program.
    """

    default: Any
    kind: str
    meaning: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    positive: bool = False
    optional: type | None = None
    traced: bool = False

    def value_type(self) -> type:
        """The type that a value of this key has."""
        return self.optional or type(self.default)


@dataclass(frozen=True)
class OpenDict:
    """A dict of builder arguments, checked against the builder's signature; some may be traced."""

    kind: str
    meaning: str
    traced: tuple[str, ...] = ()


@dataclass(frozen=True)
class NumberMap:
    """A dict from names or patterns of names to numbers of at least 0; empty by default."""

    kind: str
    meaning: str
    traced: bool = False
