"""Which scale, limits and ticks an axis of errors or losses has: rules, without a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

LINEAR_ABOVE = 20.0  # percent: from there on a logarithm tells nothing that a length does not
NARROW = 5.0  # highest over lowest up to which a logarithm has no use
DECADE = 10.0  # highest over lowest of losses from which a logarithm has
THRESHOLD = 1.0  # percent: below it the scale is linear and reaches 0
WHOLE = 100.0  # percent
ROOM = 0.05  # of the length that is drawn, at both ends
MOST_TICKS = 9


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        scale: `symlog` is linear below `THRESHOLD`, and so has a place for 0.
        low: its lower end, with room below what is drawn.
        high: its upper end.
        ticks: where the labels stand; empty: where matplotlib puts them.
    """

    scale: Literal["linear", "log", "symlog"]
    low: float
    high: float
    ticks: tuple[float, ...] = ()

    def put_on(self, axes: Any) -> None:
        """Sets the y axis of a panel."""
        how = {"linthresh": THRESHOLD, "linscale": 0.4} if self.scale == "symlog" else {}
        axes.set_yscale(self.scale, **how)
        axes.set_ylim(self.low, self.high)
        if self.ticks:
            axes.set_yticks(self.ticks, [f"{tick:g}" for tick in self.ticks])
            axes.set_yticks([], minor=True)


def error_axis(percents: Iterable[float]) -> Axis:
    """Returns the axis of errors.

    Linear where all of them are above 20 % or lie close together, logarithmic where they do not,
    and with a linear piece below 1 % where some are so small.

    Args:
        percents: everything that must be inside; what is not finite is passed over.
    """
    if (ends := _ends(percents)) is None:
        return Axis("linear", 0.0, WHOLE)
    lowest, highest = ends
    if lowest > LINEAR_ABOVE or highest <= max(NARROW * lowest, 2 * THRESHOLD):
        return _linear(lowest, highest)
    if lowest >= THRESHOLD:
        return _log(lowest, highest)
    high = highest * (highest / THRESHOLD) ** ROOM
    return Axis("symlog", -2 * ROOM * THRESHOLD, high, (0.0, *log_ticks(THRESHOLD, high)))


def loss_axis(nats: Iterable[float]) -> Axis:
    """Returns the axis of losses: logarithmic where they span a factor of ten and are above 0.

    Args:
        nats: everything that must be inside; what is not finite is passed over.
    """
    if (ends := _ends(nats)) is None:
        return Axis("linear", 0.0, 1.0)
    lowest, highest = ends
    return _log(lowest, highest) if 0 < DECADE * lowest <= highest else _linear(lowest, highest)


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Returns at most nine round numbers between two positive ends: 1, 2, 5 or powers of ten."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = [float(f"1e{power}") for power in range(first, last + 1)]
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= MOST_TICKS:
            return tuple(inside)
    return tuple(inside[:: math.ceil(len(inside) / MOST_TICKS)])


def _ends(values: Iterable[float]) -> tuple[float, float] | None:
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else None


def _linear(lowest: float, highest: float) -> Axis:
    room = ROOM * (highest - lowest) or 0.1 * abs(highest) or ROOM
    return Axis("linear", lowest - room, highest + room)


def _log(lowest: float, highest: float) -> Axis:
    room = (highest / lowest) ** ROOM
    low, high = lowest / room, highest * room
    return Axis("log", low, high, log_ticks(low, high))
