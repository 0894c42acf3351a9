"""The error that every bad input ends in, and the hint that goes with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class InputError(ValueError):
    """A configuration or an input that cannot be used; the binaries exit with code 2.

    Args:
        problems: one sentence for each thing that is wrong: what, where, what is allowed.
    """

    def __init__(self, problems: str | Sequence[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def hint(word: str, allowed: Iterable[str]) -> str:
    """Returns what is allowed in place of `word`, the nearest match first.

    Args:
        word: the word that was given.
        allowed: the words that would have been accepted.

    Returns:
        For example `; did you mean 'width'? Allowed: activation, width`.
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"{guess} Allowed: {', '.join(names) if names else 'none'}"
