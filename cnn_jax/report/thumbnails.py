"""Small images beside one another, each with its caption; and one image as the bytes of a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_jax.training.picture import new_picture, save

COLUMNS = 6
INCHES = 1.5  # of an image
SMALLEST = 96  # pixels of the shorter side, to which small images are enlarged, pixel by pixel


def draw_captioned(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    title: str,
    path: Path,
    config_hash: str = "",
    columns: int = COLUMNS,
) -> None:
    """Draws images with captions, row by row, as PNG and PDF.

    Args:
        images: uint8 (H, W, C), C 1 or 3, or None where there is none to be shown.
        captions: one an image; may have several lines.
        title: above all.
        path: of the picture.
        config_hash: of the run.
        columns: in a row.
    """
    columns = min(columns, max(len(images), 1))
    rows = -(-max(len(images), 1) // columns)
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    figure = new_picture(
        max(INCHES * columns, 4.5), (INCHES + 0.17 * lines) * rows + 0.4, title, config_hash
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        axes.imshow(shown(image), interpolation="nearest", vmin=0, vmax=255, cmap="gray")
        axes.set_title(caption, fontsize=8)
    save(figure, path)


def shown(image: np.ndarray) -> np.ndarray:
    """Returns uint8 (H, W, C) as a picture is drawn: (H, W) where there is one channel."""
    return image[..., 0] if image.shape[-1] == 1 else image


def png(image: np.ndarray, smallest: int = SMALLEST) -> bytes:
    """Returns uint8 (H, W, C) as PNG; a small one is enlarged by a whole factor, pixel by pixel."""
    factor = max(1, -(-smallest // min(image.shape[:2])))
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    content = io.BytesIO()
    Image.fromarray(shown(large)).save(content, format="PNG", optimize=True)
    return content.getvalue()
