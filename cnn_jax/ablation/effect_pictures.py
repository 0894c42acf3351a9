"""Effects of an ablation's factors: means by level, and by pairs of levels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnn_jax.ablation.curve_pictures import COLOURS
from cnn_jax.ablation.effects import marginal
from cnn_jax.ablation.statistics import Cell

WIDE_RANGE = 10  # highest over lowest mean above which the scale is logarithmic
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
Point = tuple[float, float, bool]


def draw_effects(cells: Sequence[Cell], title: str, path: Path) -> None:
    """Draws means with intervals: above of every factor's levels, below of every pair of factors.

    A mean is over all cells with these levels in which a member came to the end; it is open where
    some did not. Parallel lines mean that two factors do not interact.

    Args:
        cells: of the test error.
        title: above the picture.
        path: of the PNG file.
    """
    factors = list(cells[0].levels)
    pairs = list(combinations(factors, 2))
    figure, above, below = _panels(len(factors), len(pairs))
    for axes, factor in zip(above, factors, strict=True):
        _line(axes, _points(cells, [factor]), "black", None)
        axes.set_xlabel(factor)
    for axes, (one, other) in zip(below, pairs, strict=True):
        for n, label in enumerate(dict.fromkeys(cell.levels[other] for cell in cells)):
            # A pair that does not occur stays empty, and keeps its place.
            nothing = dict.fromkeys(cell.levels[one] for cell in cells)
            points = _points([c for c in cells if c.levels[other] == label], [one])
            _line(axes, {**nothing, **points}, COLOURS[n % len(COLOURS)], f"{other} = {label}", n)
        axes.set_xlabel(one)
        axes.legend(frameon=False, fontsize=9)
    _scale(above[0], cells)
    diverged = any(cell.diverged for cell in cells)
    mark = ", without members that diverged; open: some did" if diverged else ""
    figure.suptitle(f"{title}\nmeans with 95 % intervals{mark}", fontsize=11)
    figure.savefig(path, dpi=110)


def _panels(factors: int, pairs: int) -> tuple[Figure, list[Any], list[Any]]:
    """A figure, its panels for factors and those for pairs: below, or beside where there is one."""
    rows = 2 if pairs > 1 else 1
    columns = max(factors, pairs) if pairs > 1 else factors + pairs
    figure = Figure(figsize=(1 + 3.8 * max(columns, 1.5), 0.7 + 3.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for row in panels:
        row[0].set_ylabel("test error, %")
    flat = list(panels.flat)
    begin = columns if pairs > 1 else factors
    for axes in [*flat[factors:begin], *flat[begin + pairs :]]:
        axes.set_visible(False)
    return figure, flat[:factors], flat[begin : begin + pairs]


def _points(cells: Sequence[Cell], factors: Sequence[str]) -> dict[str, Point | None]:
    """Label -> mean, half the interval, and whether all members came to the end; in percent."""
    points: dict[str, Point | None] = {}
    for (label,), summary in marginal(cells, factors).items():
        if summary is None:
            points[label] = None
            continue
        low, high = summary.interval or (summary.mean, summary.mean)
        whole = not any(c.diverged for c in cells if c.levels[factors[0]] == label)
        points[label] = 100 * summary.mean, 50 * (high - low), whole
    return points


def _line(
    axes: Any, points: dict[str, Point | None], colour: str, name: str | None, place: int = 0
) -> None:
    """Draws means at their levels; a level without a finished member stays empty."""
    at = np.arange(len(points)) + 0.04 * place
    means = [np.nan if point is None else point[0] for point in points.values()]
    half = [0.0 if point is None else point[1] for point in points.values()]
    axes.errorbar(at, means, half, fmt="o-", color=colour, capsize=3, label=name)
    for x, point in zip(at, points.values(), strict=True):
        if point is not None and not point[2]:
            axes.plot(x, point[0], "o", color=colour, markerfacecolor="white", zorder=5)
    axes.set_xticks(range(len(points)), list(points))
    axes.set_xlim(-0.4, len(points) - 0.4)
    axes.grid(alpha=0.3)


def _scale(axes: Any, cells: Sequence[Cell]) -> None:
    """Sets the scale that all panels share."""
    means = [100 * s.mean for cell in cells if (s := cell.summary())]
    if means and max(means) > WIDE_RANGE * min(means) > 0:
        axes.set_yscale("log", nonpositive="clip")
        axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.set_yticks([], minor=True)
        axes.set_ylim(min(means) / 2, 1.3 * max(means))
    elif means:
        ends = [100 * end for c in cells if (s := c.summary()) for end in s.interval or (s.mean,)]
        room = 0.3 * (max(ends) - min(ends)) or 1.0
        axes.set_ylim(max(0.0, min(ends) - room / 2), max(ends) + room)
