"""Vectors for TensorBoard's projector: plain files that it reads."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cnn_jax.files import write_bytes, write_text

LARGEST: Final = 8192  # pixels of a sprite's side, which TensorBoard refuses to pass


def write_projector(
    directory: Path,
    vectors: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    numbers: np.ndarray,
) -> None:
    """Writes vectors, classes and thumbnails; `tensorboard --logdir=DIRECTORY` shows them.

    Args:
        directory: exists.
        vectors: float (N, F).
        images: uint8 (N, H, W, C).
        labels: int (N,).
        class_names: one a class.
        numbers: of the images in their split.
    """
    lines = ("\t".join(f"{x:.6g}" for x in row) for row in vectors)
    write_text(directory / "vectors.tsv", "\n".join(lines) + "\n")
    rows = (
        f"{_plain(class_names[label])}\t{number}"
        for label, number in zip(labels, numbers, strict=True)
    )
    write_text(directory / "metadata.tsv", "class\tnumber\n" + "\n".join(rows) + "\n")
    sprite, size = _sprite(images)
    content = io.BytesIO()
    sprite.save(content, format="PNG")
    write_bytes(directory / "sprite.png", content.getvalue())
    write_text(
        directory / "projector_config.pbtxt",
        'embeddings {\n  tensor_path: "vectors.tsv"\n  metadata_path: "metadata.tsv"\n'
        f'  sprite {{\n    image_path: "sprite.png"\n    single_image_dim: {size[1]}\n'
        f"    single_image_dim: {size[0]}\n  }}\n}}\n",
    )


def _sprite(images: np.ndarray) -> tuple[Image.Image, tuple[int, int]]:
    """One picture of all images in rows of equal length, and the size of each in it."""
    side = math.ceil(math.sqrt(len(images)))
    factor = max(1, math.ceil(side * max(images.shape[1:3]) / LARGEST))
    small = images[:, ::factor, ::factor]
    height, width, channels = small.shape[1:]
    sheet = np.full((side, side, height, width, channels), 255, np.uint8)
    sheet.reshape(-1, height, width, channels)[: len(small)] = small
    whole = sheet.swapaxes(1, 2).reshape(side * height, side * width, channels)
    return Image.fromarray(whole[..., 0] if channels == 1 else whole), (height, width)


def _plain(name: str) -> str:
    return " ".join(name.split())
