"""Learning curves of an ablation: a panel for each combination of levels, a band over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cnn_jax.training.curves import smoothed
from cnn_jax.training.picture import COLOURS, legend_below, new_picture, save
from cnn_jax.training.picture_axes import error_axis

WINDOWS = 50  # of the smoothing of train, in a curve
Member = Mapping[str, Any]


def draw_ablation_curves(
    members: Sequence[Member], title: str, path: Path, config_hash: str = ""
) -> None:
    """Draws the error of validation, and of train, over the epochs, as PNG and PDF.

    Colours are the levels of the factor that has the most (up to eight); the others make the
    panels. A line is the mean over the members that came to the end; where there are several, a
    band reaches from the lowest to the highest of them. A member that diverged is in no mean: its
    train error has a line of its own, to the cross where the guard stopped it.

    Args:
        members: of `ablation.json`.
        title: above the picture.
        path: of the picture.
        config_hash: of the base.
    """
    levels: dict[str, list[str]] = {}
    for member in members:
        for factor, label in member["factors"].items():
            if label not in levels.setdefault(factor, []):
                levels[factor].append(label)
    colour = max(levels, key=lambda factor: min(len(levels[factor]), len(COLOURS)))
    others = [factor for factor in levels if factor != colour]
    columns = levels[others[-1]] if others else [""]
    rows = list(product(*(levels[factor] for factor in others[:-1])))
    figure = new_picture(
        1.5 + 4.2 * max(len(columns), 1.6), 1.5 + 3 * len(rows), title, config_hash
    )
    panels = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    inside: list[float] = []
    for i, j in product(range(len(rows)), range(len(columns))):
        here = dict(zip(others, (*rows[i], columns[j]), strict=False))
        chosen = [m for m in members if here.items() <= m["factors"].items()]
        named = ", ".join(f"{k} = {v}" for k, v in here.items())
        panels[i, j].set_title("\n".join([named, *diverged_in_words(chosen, colour)]), fontsize=9)
        inside += _panel(panels[i, j], chosen, colour, levels[colour])
        panels[i, j].grid(alpha=0.3)
        if i == len(rows) - 1:
            panels[i, j].set_xlabel("epoch")
        if j == 0:
            panels[i, j].set_ylabel("error, %")
    panels[0, 0].set_xlim(left=0)
    error_axis(inside).put_on(panels[0, 0])
    legend_below(figure, _handles(members, colour, levels[colour]))
    save(figure, path)


def diverged_in_words(members: Sequence[Member], factor: str) -> list[str]:
    """Returns a line that says how many members diverged, by level of a factor; none if none did.

    Args:
        members: of one panel.
        factor: whose levels are told apart.
    """
    told = []
    for label in dict.fromkeys(m["factors"][factor] for m in members):
        cell = [m for m in members if m["factors"][factor] == label]
        if count := sum(m["state"] != "done" for m in cell):
            told.append(f"{label} {count} of {len(cell)}")
    return [f"diverged: {', '.join(told)}"] if told else []


def _panel(axes: Any, members: Sequence[Member], factor: str, labels: Sequence[str]) -> list[float]:
    """Draws a panel, and returns the errors that must be inside it, in percent."""
    inside: list[float] = []
    for n, label in enumerate(labels):
        cell = [m for m in members if m["factors"][factor] == label]
        shade = COLOURS[n % len(COLOURS)]
        for member in cell:
            if member["state"] != "done":
                inside += _stopped(axes, member["curve"], shade)
        curves = [m["curve"] for m in cell if m["state"] == "done"]
        if not curves:
            continue
        steps, errors = _aligned(curves, "step", "train_error")
        if len(steps):
            window = max(1, len(steps) // WINDOWS)
            epochs = np.interp(steps, *_epochs(curves))[window - 1 :]
            mean = smoothed(errors.mean(0), window)
            axes.plot(epochs, mean, ":", color=shade, linewidth=1.2, marker=_dot(mean, 2))
            inside += mean.tolist()
        steps, errors = _aligned(curves, "validation_step", "validation_error")
        if len(steps):
            epochs = np.interp(steps, *_epochs(curves))
            axes.plot(epochs, errors.mean(0), color=shade, marker=_dot(steps, 3), markersize=4)
            if len(curves) > 1:
                low, high = errors.min(0), errors.max(0)
                axes.fill_between(epochs, low, high, color=shade, alpha=0.18, linewidth=0)
            inside += errors.ravel().tolist()
    return inside


def _stopped(axes: Any, curve: Member, shade: str) -> list[float]:
    """Draws the train error of a member that diverged; returns what must be inside."""
    errors = 100 * np.array(curve.get("train_error", []), dtype=float)
    if not len(errors):
        return []
    window = max(1, len(errors) // WINDOWS)
    epochs, errors = np.asarray(curve["epoch"], dtype=float)[window - 1 :], smoothed(errors, window)
    axes.plot(epochs, errors, color=shade, linewidth=0.6, alpha=0.7)
    axes.plot(epochs[-1:], errors[-1:], "x", color=shade, markersize=6, zorder=4)
    return errors.tolist()


def _dot(points: np.ndarray, most: int) -> str:
    """A marker for lines of few points."""
    return "o" if len(points) <= most else ""


def _aligned(curves: Sequence[Member], at: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and errors in percent (members, steps); of as many steps as all of them have."""
    shortest = min(len(curve.get(key, [])) for curve in curves)
    errors = 100 * np.array([curve.get(key, [])[:shortest] for curve in curves], dtype=float)
    return np.asarray(curves[0].get(at, [])[:shortest], dtype=float), errors


def _epochs(curves: Sequence[Member]) -> tuple[list[float], list[float]]:
    return [0.0, *curves[0].get("step", [])], [0.0, *curves[0].get("epoch", [])]


def _handles(members: Sequence[Member], factor: str, labels: Sequence[str]) -> list[Any]:
    """What the legend names: no more than there is."""
    handles: list[Any] = [
        Patch(color=COLOURS[n % len(COLOURS)], label=f"{factor} = {label}")
        for n, label in enumerate(labels)
    ]
    done = [m for m in members if m["state"] == "done"]
    seeds = len({m["seed"] for m in done})
    several = f"mean of {seeds} seeds" if seeds > 1 else "one seed"
    if any(m["curve"].get("validation_error") for m in done):
        band = "; band: lowest to highest" if seeds > 1 else ""
        handles.append(Line2D([], [], color="black", label=f"validation, {several}{band}"))
    if done:
        label = f"train batches, {several}"
        handles.append(Line2D([], [], color="black", linestyle=":", label=label))
    if len(done) < len(members):
        label = "train of one that diverged: in no mean"
        look: dict[str, Any] = {"color": "black", "linewidth": 0.6, "marker": "x", "markersize": 6}
        handles.append(Line2D([], [], label=label, **look))
    return handles
