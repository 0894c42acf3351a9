"""Ranges of values: drawing from them, and looking closer around the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_jax.config.search import Choice, LogUniform, Range, Uniform

DIGITS = 4  # significant ones of a drawn number: it can be typed, and means itself
EDGE = 0.05  # so much of a range, at either end, is its edge
Values = dict[str, Any]  # dotted key -> value
Ranges = dict[str, Range]


def draw_trials(seed: int, stage: int, ranges: Mapping[str, Range], count: int) -> list[Values]:
    """Returns the values of the trials of a stage; trial i does not depend on how many there are.

    Args:
        seed: of the search.
        stage: its number.
        ranges: key -> where its value is drawn from.
        count: how many trials.
    """
    trials = []
    for trial in range(count):
        rng = np.random.default_rng([seed, stage, trial])
        trials.append({key: _draw(drawn, rng) for key, drawn in ranges.items()})
    return trials


def narrowed(
    last: Mapping[str, Range], best: Sequence[Values], trials: int, first: Mapping[str, Range]
) -> Ranges:
    """Returns the ranges that the best values span, for the next stage.

    On either side the mean distance between neighbours among all trials is added, on the scale of
    the range; nothing reaches beyond the range of the first stage, which may be a limit of the key.

    Args:
        last: where the values were drawn from.
        best: of the trials that came out best; at least one.
        trials: how many there were in all.
        first: the ranges of the first stage.
    """
    narrower: Ranges = {}
    for key, drawn in last.items():
        values, limit = [chosen[key] for chosen in best], first[key]
        if isinstance(drawn, Choice) or isinstance(limit, Choice):
            options = drawn.options if isinstance(drawn, Choice) else ()
            narrower[key] = Choice(tuple(option for option in options if option in values))
            continue
        places, margin = [place(drawn, value) for value in values], 1 / (trials + 1)
        low, high = _at(drawn, min(places) - margin), _at(drawn, max(places) + margin)
        narrower[key] = type(drawn)(max(limit.low, _rounded(low)), min(limit.high, _rounded(high)))
    return narrower


def edges(ranges: Mapping[str, Range], best: Values, first: Mapping[str, Range]) -> list[str]:
    """Returns a sentence for each number that lies at the edge of its range, or of the first one.

    Args:
        ranges: of a stage.
        best: the values that came out best in it.
        first: the ranges of the first stage, beyond which no later one reaches.
    """
    problems = []
    for key in ranges:
        for drawn in (first[key], ranges[key]):
            if isinstance(drawn, Choice) or EDGE <= (where := place(drawn, best[key])) <= 1 - EDGE:
                continue
            side, end = ("below", drawn.low) if where < EDGE else ("above", drawn.high)
            problems.append(
                f"the best {key}, {best[key]:g}, lies at the edge of its range, {in_words(drawn)}: "
                f"a better one may lie {side} {end:g}"
            )
            break
    return problems


def place(drawn: Uniform, value: float) -> float:
    """Returns where a value lies in its range, on its scale: 0 at the low end, 1 at the high."""
    if drawn.low == drawn.high:
        return 0.5
    if isinstance(drawn, LogUniform):
        return math.log(value / drawn.low) / math.log(drawn.high / drawn.low)
    return (value - drawn.low) / (drawn.high - drawn.low)


def in_words(drawn: Range) -> str:
    """Returns for example `0.001 to 1, logarithmic`."""
    if isinstance(drawn, Choice):
        return "one of " + ", ".join(map(str, drawn.options))
    scale = ", logarithmic" if isinstance(drawn, LogUniform) else ""
    return f"{drawn.low:g} to {drawn.high:g}{scale}"


def _draw(drawn: Range, rng: np.random.Generator) -> Any:
    if isinstance(drawn, Choice):
        return drawn.options[int(rng.integers(len(drawn.options)))]
    return min(max(_rounded(_at(drawn, float(rng.random()))), drawn.low), drawn.high)


def _at(drawn: Uniform, where: float) -> float:
    """The value at a place of a range: the inverse of `place`."""
    if isinstance(drawn, LogUniform):
        return drawn.low * (drawn.high / drawn.low) ** where
    return drawn.low + where * (drawn.high - drawn.low)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
