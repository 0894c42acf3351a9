"""A photograph at its own size, as pixels, for what does not need the network's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.decode import decode
from cnn_jax.data.interpolation import DEFAULT
from cnn_jax.data.regular_files import printable, read_file
from cnn_jax.data.resize import resize_by
from cnn_jax.data.unreadable import UnreadableError


def photograph(path: Path, channels: int, longest: int | None = None) -> np.ndarray:
    """Returns an image file as float32 (H, W, C), [0, 255].

    Args:
        path: of the file.
        channels: 1 or 3, as the network sees.
        longest: pixels of the longer side, to which it is resized; None: as it is.

    Raises:
        InputError: the file is no image, or cannot be read.
    """
    try:
        pixels = decode(read_file(path), channels)
    except (UnreadableError, OSError) as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error}") from error
    if longest is None:
        return pixels.astype(np.float32)
    factor = longest / max(pixels.shape[:2])
    height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
    return resize_by(pixels, (height, width), DEFAULT).astype(np.float32)
