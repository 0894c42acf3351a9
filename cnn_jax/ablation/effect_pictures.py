"""Effects of an ablation's factors: means by level, and by pairs of levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cnn_jax.ablation.effects import marginal
from cnn_jax.ablation.statistics import Cell
from cnn_jax.training.picture import COLOURS, legend_below, new_picture, save
from cnn_jax.training.picture_axes import WHOLE, error_axis

TOP = 0.97  # of a panel: where what diverged as a whole is marked


@dataclass(frozen=True)
class Point:
    """What is drawn at a level; in percent.

    Attributes:
        mean: over the members that came to the end; None where none did.
        low: lower end of the interval, not below 0; that of the mean where there is no interval.
        high: upper end, not above 100.
        diverged: how many members are in no mean.
        members: of all.
    """

    mean: float | None
    low: float
    high: float
    diverged: int
    members: int


def draw_effects(
    cells: Sequence[Cell], what: str, title: str, path: Path, config_hash: str = ""
) -> None:
    """Draws means with intervals: above of every factor's levels, below of every pair of factors.

    A mean is over all cells with these levels in which a member came to the end; it is open where
    some did not, and a cross stands for levels of which none did. With one seed there are no
    intervals. Parallel lines mean that two factors do not interact. PNG and PDF.

    Args:
        cells: of the error that judges.
        what: its name, as `validation error`.
        title: above the picture.
        path: of the picture.
        config_hash: of the base.
    """
    factors = list(cells[0].levels)
    pairs = list(combinations(factors, 2))
    figure, above, below = _panels(len(factors), len(pairs), what, title, config_hash)
    drawn: list[Point] = []
    for axes, factor in zip(above, factors, strict=True):
        points = points_of(cells, factor)
        drawn += _line(axes, points, "black", None)
        axes.set_xticks(range(len(points)), [_tick(*item) for item in points.items()])
        axes.set_xlabel(factor)
    for axes, (one, other) in zip(below, pairs, strict=True):
        labels = list(dict.fromkeys(cell.levels[one] for cell in cells))
        for n, label in enumerate(dict.fromkeys(cell.levels[other] for cell in cells)):
            points = points_of([c for c in cells if c.levels[other] == label], one)
            # A pair that does not occur stays empty, and keeps its place.
            placed = {name: points.get(name) for name in labels}
            drawn += _line(axes, placed, COLOURS[n % len(COLOURS)], f"{other} = {label}", n)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel(one)
        # Above the panel, where no data are.
        beside: dict[str, Any] = {
            "loc": "lower left",
            "bbox_to_anchor": (0, 1),
            "ncols": 2,
            "borderaxespad": 0.2,
        }
        axes.legend(frameon=False, fontsize=8, **beside)
    inside = [end for p in drawn if p.mean is not None for end in (p.low, p.mean, p.high)]
    error_axis(inside).put_on(above[0])
    legend_below(figure, _handles(drawn))
    save(figure, path)


def points_of(cells: Sequence[Cell], factor: str) -> dict[str, Point]:
    """Returns what is drawn at each level of a factor, over all others.

    Args:
        cells: of one metric, a fraction.
        factor: one of theirs.
    """
    points = {}
    for (label,), summary in marginal(cells, [factor]).items():
        here = [cell for cell in cells if cell.levels[factor] == label]
        diverged = sum(len(cell.diverged) for cell in here)
        members = diverged + sum(len(cell.values) for cell in here)
        if summary is None:
            points[label] = Point(None, 0.0, 0.0, diverged, members)
            continue
        low, high = summary.interval or (summary.mean, summary.mean)
        ends = max(0.0, 100 * low), min(WHOLE, 100 * high)
        points[label] = Point(100 * summary.mean, *ends, diverged, members)
    return points


def _panels(
    factors: int, pairs: int, what: str, title: str, config_hash: str
) -> tuple[Figure, list[Any], list[Any]]:
    """A figure, its panels for factors and those for pairs: below, or beside where there is one."""
    rows = 2 if pairs > 1 else 1
    columns = max(factors, pairs) if pairs > 1 else factors + pairs
    figure = new_picture(1 + 3.8 * max(columns, 1.5), 1.2 + 3.7 * rows, title, config_hash)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for row in panels:
        row[0].set_ylabel(f"{what}, %")
    flat = list(panels.flat)
    begin = columns if pairs > 1 else factors
    for axes in [*flat[factors:begin], *flat[begin + pairs :]]:
        axes.set_visible(False)
    return figure, flat[:factors], flat[begin : begin + pairs]


def _tick(label: str, point: Point) -> str:
    """The name of a level, and how many of its members are in no mean."""
    return f"{label}\n{point.diverged} of {point.members} diverged" if point.diverged else label


def _line(
    axes: Any,
    points: Mapping[str, Point | None],
    colour: str,
    name: str | None,
    place: int = 0,
) -> list[Point]:
    """Draws means at their levels, and returns those that there are."""
    at = np.arange(len(points)) + 0.04 * place
    there = [point for point in points.values() if point is not None]
    means = [np.nan if p is None or p.mean is None else p.mean for p in points.values()]
    ends = [
        (0.0, 0.0) if p is None or p.mean is None else (p.mean - p.low, p.high - p.mean)
        for p in points.values()
    ]
    bars = np.array(ends).T if any(low or high for low, high in ends) else None
    axes.errorbar(at, means, bars, fmt="o-", color=colour, capsize=3, label=name)
    for x, point in zip(at, points.values(), strict=True):
        if point is not None and point.mean is None:
            axes.plot(x, TOP, "x", color=colour, transform=axes.get_xaxis_transform(), zorder=5)
        elif point is not None and point.diverged:
            axes.plot(x, point.mean, "o", color=colour, markerfacecolor="white", zorder=5)
    axes.set_xlim(-0.4, len(points) - 0.4)
    axes.grid(alpha=0.3)
    return there


def _handles(drawn: Sequence[Point]) -> list[Line2D]:
    """What the legend explains: no more than there is."""
    means = [p for p in drawn if p.mean is not None]
    handles = []
    if any(p.low < p.high for p in means):
        label = "mean, with its 95 % interval over the seeds"
        cut = any(p.low == 0.0 < p.high or p.low < p.high == WHOLE for p in means)
        label += ", cut at 0 and 100 %" if cut else ""
        handles.append(Line2D([], [], color="black", marker="o", label=label))
    elif means:
        handles.append(
            Line2D([], [], color="black", marker="o", label="mean; no interval with one seed")
        )
    plain: dict[str, Any] = {"color": "black", "linestyle": ""}
    if any(p.diverged for p in means):
        label = "mean without the members that diverged"
        handles.append(Line2D([], [], marker="o", markerfacecolor="white", label=label, **plain))
    if any(p.mean is None for p in drawn):
        handles.append(Line2D([], [], marker="x", label="all diverged: no mean", **plain))
    return handles
