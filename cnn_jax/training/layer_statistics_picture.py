"""How the variance of activations and gradients goes through the layers, by initialisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from cnn_jax.training.picture import COLOURS, DASHES, legend_below, new_picture, save

PANELS = {
    "activation_variance": "variance of a layer's outputs",
    "gradient_variance": "variance of the gradient to them",
}
MOST_NAMES = 20
Schemes = Mapping[str, Mapping[str, Mapping[str, float]]]
Rows = Mapping[str, Schemes]


def draw_signals(rows: Rows, title: str, path: Path, config_hash: str = "") -> None:
    """Draws the variances of every layer, a line a scheme, as PNG and PDF.

    Args:
        rows: title of a row of panels -> scheme -> layer, in the order of the network -> name of a
            statistic -> value.
        title: above the picture.
        path: of the picture.
        config_hash: of what was measured.
    """
    figure = new_picture(11, 1.0 + 3.7 * len(rows), title, config_hash)
    panels = figure.subplots(len(rows), 2, squeeze=False)
    names = list(dict.fromkeys(scheme for schemes in rows.values() for scheme in schemes))
    looks = {name: _look(number) for number, name in enumerate(names)}
    for axes, (name, schemes) in zip(panels, rows.items(), strict=True):
        for panel, statistic in zip(axes, PANELS, strict=True):
            _draw(panel, schemes, statistic, looks)
        axes[0].set_title(name, loc="left", fontsize="medium")
    legend_below(figure, [Line2D([], [], label=name, **look) for name, look in looks.items()], 5)
    save(figure, path)


def _look(number: int) -> dict[str, Any]:
    """Colour and dashes, which part the lines for those who do not see the colours."""
    dashes = DASHES[number % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": dashes, "marker": "."}


def _draw(axes: Any, schemes: Schemes, statistic: str, looks: Mapping[str, Any]) -> None:
    layers = list(next(iter(schemes.values())))
    for scheme, values in schemes.items():
        heights = [values[layer][statistic] for layer in layers]
        shown = [height if height > 0 else math.nan for height in heights]
        axes.plot(range(1, len(layers) + 1), shown, **looks[scheme])
    axes.set_yscale("log")
    axes.set_ylabel(PANELS[statistic])
    axes.grid(alpha=0.3)
    if len(layers) <= MOST_NAMES:
        axes.set_xticks(range(1, len(layers) + 1), layers, rotation=60, ha="right")
    else:
        axes.set_xlabel(f"layer, from {layers[0]} to {layers[-1]}")
