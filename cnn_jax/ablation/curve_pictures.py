"""Learning curves of an ablation: a panel for each combination of levels, a band over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cnn_jax.training.curves import smoothed

# P. Tol's bright scheme, then his muted one: told apart with colour-blind eyes.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#332288", "#882255")
Member = Mapping[str, Any]


def draw_ablation_curves(members: Sequence[Member], title: str, path: Path) -> None:
    """Draws the error of validation, and of train, over the epochs.

    Colours are the levels of the factor that has the most (up to eight); the others make the
    panels. A line is the mean over the members that came to the end, a band reaches from the
    lowest to the highest of them.

    Args:
        members: of `ablation.json`.
        title: above the picture.
        path: of the PNG file.
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
    figure = Figure(
        figsize=(1.5 + 4.2 * max(len(columns), 1.6), 1.2 + 3 * len(rows)), layout="constrained"
    )
    panels = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for i, j in product(range(len(rows)), range(len(columns))):
        here = dict(zip(others, (*rows[i], columns[j]), strict=False))
        chosen = [m for m in members if here.items() <= m["factors"].items()]
        _panel(panels[i, j], chosen, colour, levels[colour])
        panels[i, j].set_title(", ".join(f"{k} = {v}" for k, v in here.items()), fontsize=10)
        if i == len(rows) - 1:
            panels[i, j].set_xlabel("epoch")
        if j == 0:
            panels[i, j].set_ylabel("error, %")
    lowest = min(axes.dataLim.y0 for axes in panels.flat)
    panels[0, 0].set_ylim(0.9 if 1 <= lowest < float("inf") else 0, 100)
    _legend(figure, colour, levels[colour])
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _panel(axes: Any, members: Sequence[Member], factor: str, labels: Sequence[str]) -> None:
    fate = []
    for n, label in enumerate(labels):
        cell = [m for m in members if m["factors"][factor] == label]
        curves = [m["curve"] for m in cell if m["state"] == "done"]
        if diverged := len(cell) - len(curves):
            fate.append(f"{label}: {diverged} of {len(cell)} diverged")
        if not curves:
            continue
        shade = COLOURS[n % len(COLOURS)]
        steps, errors = _aligned(curves, "step", "train_error")
        if len(steps):
            window = max(1, len(steps) // 50)
            epochs = np.interp(steps, *_epochs(curves))[window - 1 :]
            mean = smoothed(errors.mean(0), window)
            axes.plot(epochs, mean, ":", color=shade, linewidth=1.2)
        steps, errors = _aligned(curves, "validation_step", "validation_error")
        if len(steps):
            epochs = np.interp(steps, *_epochs(curves))
            axes.plot(epochs, errors.mean(0), color=shade)
            axes.fill_between(
                epochs, errors.min(0), errors.max(0), color=shade, alpha=0.18, linewidth=0
            )
    axes.set_yscale("symlog", linthresh=1.0)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.text(0.03, 0.04, "\n".join(fate), transform=axes.transAxes, size=8)


def _aligned(curves: Sequence[Member], at: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and errors in percent (members, steps); of as many steps as all of them have."""
    shortest = min(len(curve.get(key, [])) for curve in curves)
    errors = 100 * np.array([curve.get(key, [])[:shortest] for curve in curves], dtype=float)
    return np.asarray(curves[0].get(at, [])[:shortest], dtype=float), errors


def _epochs(curves: Sequence[Member]) -> tuple[list[float], list[float]]:
    return [0.0, *curves[0].get("step", [])], [0.0, *curves[0].get("epoch", [])]


def _legend(figure: Figure, factor: str, labels: Sequence[str]) -> None:
    handles: list[Any] = [
        Patch(color=COLOURS[n % len(COLOURS)], label=f"{factor} = {label}")
        for n, label in enumerate(labels)
    ]
    handles += [
        Line2D([], [], color="black", label="validation, mean; band: lowest to highest seed"),
        Line2D([], [], color="black", linestyle=":", label="train batches, mean"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
