"""An embedding as a picture: points by class, and the images at their places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from cnn_jax.report.thumbnails import shown
from cnn_jax.seeing.embedding import Projection
from cnn_jax.training.picture import COLOURS, new_picture, save

THUMBNAILS: Final = 400  # images that are drawn, evenly spread; the others are dots
NAMED_CLASSES: Final = 20  # up to which the legend names each


def draw_embedding(
    projection: Projection,
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str,
    path: Path,
    config_hash: str = "",
) -> None:
    """Draws the plane: the points by class on the left, the images at their places on the right.

    Args:
        projection: of `project`.
        images: uint8 (N, H, W, C).
        labels: int (N,).
        class_names: one a class.
        title: above the picture.
        path: of the picture, PNG and PDF.
        config_hash: of the run.
    """
    figure = new_picture(14, 7.4, title, config_hash)
    dots, thumbnails = figure.subplots(1, 2)
    points, present = projection.points, np.unique(labels)
    for place, label in enumerate(present):
        own, look = labels == label, _look(place)
        dots.scatter(*points[own].T, s=14, label=class_names[label], linewidths=0.3, **look)
    if len(present) <= NAMED_CLASSES:
        figure.legend(
            *dots.get_legend_handles_labels(),
            loc="outside lower left",
            ncols=10,
            frameon=False,
            fontsize=9,
        )
    chosen = np.unique(np.linspace(0, len(points) - 1, min(THUMBNAILS, len(points))).astype(int))
    zoom = 22 / max(images.shape[1:3])
    colour_of = {label: _look(place)["color"] for place, label in enumerate(present)}
    thumbnails.scatter(*points.T, s=0)
    for i in chosen:
        picture = OffsetImage(shown(images[i]), zoom=zoom, cmap="gray", clim=(0, 255))
        edge: dict[str, Any] = {"edgecolor": colour_of[labels[i]], "linewidth": 1.2}
        thumbnails.add_artist(AnnotationBbox(picture, points[i], pad=0.05, bboxprops=edge))
    for axes in (dots, thumbnails):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.margins(0.04)
    dots.set_xlabel(projection.note, fontsize=8)
    thumbnails.set_xlabel(
        f"{len(chosen)} of {len(points)} images, the frame is the class", fontsize=8
    )
    save(figure, path)


def _look(place: int) -> dict[str, Any]:
    """Colour and marker of a class: a second round through the colours has a marker of its own."""
    markers = "o^sDvP*X"
    round_ = place // len(COLOURS) % len(markers)
    return {"color": COLOURS[place % len(COLOURS)], "marker": markers[round_]}
