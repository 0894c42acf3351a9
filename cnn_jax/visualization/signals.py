"""How the variance of activations and gradients goes through the layers, by initialisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

# Paul Tol's bright scheme; the dashes part the lines for those who do not see the colours.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
DASHES = ("-", "--", "-.", ":")
PANELS = {
    "activation_variance": "variance of a layer's outputs",
    "gradient_variance": "variance of the gradient to them",
}
MOST_NAMES = 16


def draw_signals(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], title: str, path: Path
) -> None:
    """Draws the variances of every layer, a line a scheme, into a PNG file.

    Args:
        found: scheme -> layer, in the order of the network -> name of a statistic -> value.
        title: above the picture.
        path: of the picture.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    layers = list(next(iter(found.values())))
    for axes, (statistic, label) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        for number, (scheme, values) in enumerate(found.items()):
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
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        if len(layers) <= MOST_NAMES:
            axes.set_xticks(range(1, len(layers) + 1), layers, rotation=60, ha="right")
        else:
            axes.set_xlabel(f"layer, from {layers[0]} to {layers[-1]}")
    figure.axes[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
