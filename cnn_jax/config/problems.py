"""The error that every bad input ends in, and the words that its messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from ml_collections import ConfigDict

LONGEST = 100  # characters of a value in a message


class InputError(ValueError):
    """A configuration or an input that cannot be used; the binaries exit with code 2.

    Args:
        problems: one sentence for each thing that is wrong: what, where, what is allowed.
    """

    def __init__(self, problems: str | Sequence[str]):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


def nearest(word: object, allowed: Iterable[str]) -> str | None:
    """Returns the allowed word that `word` was probably meant to be, capitals aside; or None."""
    by_small_letters = {name.lower(): name for name in sorted(allowed, reverse=True)}
    near = difflib.get_close_matches(str(word).lower(), sorted(by_small_letters), n=1, cutoff=0.5)
    return by_small_letters[near[0]] if near else None


def hint(word: object, allowed: Iterable[str]) -> str:
    """Returns what is allowed in place of `word`, the nearest match first.

    Args:
        word: what was given.
        allowed: the words that would have been accepted.

    Returns:
        For example `; did you mean 'width'? Allowed: activation, width`.
    """
    names = sorted(allowed)
    near = nearest(word, names)
    guess = f"; did you mean {near!r}?" if near else "."
    return f"{guess} Allowed: {', '.join(names) if names else 'none'}"


def shown(value: object) -> str:
    """Returns a value as a message shows it: as Python writes it, and no longer than a line."""
    try:
        text = repr(value.to_dict() if isinstance(value, ConfigDict) else value)
    except ValueError:  # Python writes no int of more than 4,300 digits
        return "a number of thousands of digits"
    return brief(text)


def brief(text: str) -> str:
    """Returns a text as a message shows it, no longer than a line."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
