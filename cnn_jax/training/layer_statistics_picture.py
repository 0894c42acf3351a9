"""How the variance of activations and gradients goes through the layers, by initialisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

# Paul Tol's bright scheme; the dashes part the lines for those who do not see the colours.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
DASHES = ("-", "--", "-.", ":")
PANELS = {
    "activation_variance": "variance of a layer's outputs",
    "gradient_variance": "variance of the gradient to them",
}
MOST_NAMES = 20
Schemes = Mapping[str, Mapping[str, Mapping[str, float]]]
Rows = Mapping[str, Schemes]


def draw_signals(rows: Rows, title: str, path: Path) -> None:
    """Draws the variances of every layer, a line a scheme, into a PNG file.

    Args:
        rows: title of a row of panels -> scheme -> layer, in the order of the network -> name of a
            statistic -> value.
        title: above the picture.
        path: of the picture.
    """
    figure = Figure(figsize=(11, 0.5 + 3.7 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 2, squeeze=False)
    for axes, (name, schemes) in zip(panels, rows.items(), strict=True):
        for panel, statistic in zip(axes, PANELS, strict=True):
            _draw(panel, schemes, statistic)
        axes[0].set_title(name, loc="left", fontsize="medium")
        axes[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _draw(axes: Any, schemes: Schemes, statistic: str) -> None:
    layers = list(next(iter(schemes.values())))
    for number, (scheme, values) in enumerate(schemes.items()):
        heights = [values[layer][statistic] for layer in layers]
        axes.plot(
            range(1, len(layers) + 1),
            [height if height > 0 else math.nan for height in heights],
            DASHES[number % len(DASHES)],
            color=COLOURS[number % len(COLOURS)],
            marker=".",
            label=scheme,
        )
    axes.set_yscale("log")
    axes.set_ylabel(PANELS[statistic])
    axes.grid(alpha=0.3)
    if len(layers) <= MOST_NAMES:
        axes.set_xticks(range(1, len(layers) + 1), layers, rotation=60, ha="right")
    else:
        axes.set_xlabel(f"layer, from {layers[0]} to {layers[-1]}")
