"""A confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.training.picture import new_picture, save

NUMBERED = 20  # classes up to which the counts stand in the picture
NAMED = 40  # classes up to which each has its name there
ERROR_COLOURS, RIGHT = "OrRd", "0.9"


def draw_confusion(
    matrix: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    path: Path,
    config_hash: str = "",
) -> None:
    """Draws a confusion matrix, as PNG and PDF: a row a class, a column what it was taken for.

    Colour is the share of its class; the diagonal, what is right, has none, so that a rare
    confusion beside many right answers is seen.

    Args:
        matrix: of `Predictions.confusion`.
        class_names: one a class.
        title: above the picture.
        path: of the picture.
        config_hash: of the run.
    """
    classes = len(matrix)
    side = float(np.clip(0.42 * classes + 1.8, 4.5, 11))
    figure = new_picture(side + 1, side, title, config_hash)
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    wrong = np.ma.masked_array(100 * share, np.eye(classes, dtype=bool))
    axes.set_facecolor(RIGHT)
    highest = max(float(wrong.max()), 1.0) if classes > 1 else 1.0
    image = axes.imshow(wrong, cmap=ERROR_COLOURS, vmin=0, vmax=highest)
    figure.colorbar(image, ax=axes, label="% of the class", shrink=0.8)
    if classes <= NUMBERED:
        for row, column in np.argwhere(matrix > 0):
            dark = row != column and wrong[row, column] > 0.6 * highest
            colour = "white" if dark else "black"
            what: dict[str, Any] = {"ha": "center", "va": "center", "color": colour, "size": 8}
            axes.text(column, row, f"{matrix[row, column]}", **what)
    places = np.unique(np.linspace(0, classes - 1, min(classes, NAMED)).round().astype(int))
    names = [_short(class_names[i]) for i in places]
    turned = max(map(len, names)) > 2
    axes.set_xticks(places, names, rotation=90 if turned else 0, fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    save(figure, path)


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
