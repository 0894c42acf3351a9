"""Figure 1 of Ioffe & Szegedy 2015: the test accuracy by step, and the inputs of one sigmoid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cnn_jax.training.picture import COLOURS, DASHES, legend_below, new_picture, save

LOWEST = 70.0  # percent: below it the paper's Figure 1 (a) shows nothing
ROOM = 0.5  # percent


def draw_unit_inputs(followed: Mapping[str, Mapping[str, Any]], title: str, path: Path) -> None:
    """Draws the accuracies in one panel, and the percentiles of each network in one of its own.

    Args:
        followed: name of a network -> what `unit_inputs.follow` returns.
        title: above the picture.
        path: of the picture, PNG and PDF.
    """
    hashes = ", ".join(one["config_hash"] for one in followed.values())
    figure = new_picture(4 * (1 + len(followed)), 4.4, title, hashes)
    accuracy, *panels = figure.subplots(1, 1 + len(followed))
    looks = [{"color": COLOURS[i], "linestyle": DASHES[i]} for i in range(len(followed))]
    for look, one in zip(looks, followed.values(), strict=True):
        accuracy.plot(one["step"], 100 * (1 - np.array(one["test_error"])), **look)
    best = max(100 * (1 - min(one["test_error"])) for one in followed.values())
    accuracy.set_ylim(min(LOWEST, best - ROOM), best + ROOM)
    accuracy.set_title("(a) test accuracy, %", loc="left", fontsize="medium")
    for letter, axes, look, (name, one) in zip(
        "bcdefgh", panels, looks, followed.items(), strict=False
    ):
        low, middle, high = np.array(one["percentiles"]).T
        axes.fill_between(one["step"], low, high, color=look["color"], alpha=0.25, linewidth=0)
        axes.plot(one["step"], middle, **look)
        axes.sharey(panels[0])
        axes.set_title(
            f"({letter}) input of unit {one['unit']} of {one['layer']}, {name}",
            loc="left",
            fontsize="medium",
        )
    for axes in (accuracy, *panels):
        axes.set_xlim(left=0)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    legend_below(figure, _handles(followed, looks))
    save(figure, path)


def _handles(followed: Mapping[str, Mapping[str, Any]], looks: list[dict[str, Any]]) -> list[Any]:
    handles: list[Any] = [
        Line2D([], [], **look, label=f"{name}: {100 * (1 - one['test_error'][-1]):.2f} %")
        for look, (name, one) in zip(looks, followed.items(), strict=True)
    ]
    images = next(iter(followed.values()))["images"]
    label = f"15th to 85th percentile over {images:,} images of train, and the median"
    return [*handles, Patch(color="0.5", alpha=0.4, label=label)]
