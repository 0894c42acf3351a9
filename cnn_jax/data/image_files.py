"""Image files as a user has them, seen as an evaluation sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import CropRule, draws
from cnn_jax.data.decode import UnreadableError, decode
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.resize import apply_crop, resize

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".pgm", ".ppm", ".tif", ".tiff", ".webp"}
)


def find_images(paths: list[str]) -> list[Path]:
    """Returns the files that `paths` name: a file itself, or all images of a folder, sorted.

    Raises:
        InputError: a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise InputError(f"{path}: no images inside; known are {', '.join(sorted(SUFFIXES))}")
        found += inside
    return found


def load_image(path: Path, preprocessing: Preprocessing, rule: CropRule) -> np.ndarray:
    """Returns an image file as uint8 (H, W, C) of the size that the record asks for.

    It is decoded and cropped as in an evaluation. Where the network was trained on whole images, a
    file of another size is resized, and its aspect is not kept.

    Args:
        path: of the file.
        preprocessing: record of the network.
        rule: that of `config.test_crop`.

    Raises:
        InputError: the file is not an image, is cut short, or has too many pixels; or the rule
            draws.
    """
    if rule.random:
        raise InputError("config.test_crop draws at random: a prediction needs a fixed crop")
    try:
        pixels = decode(path.read_bytes(), preprocessing.channels)
    except UnreadableError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if rule.size is None:
        size = preprocessing.height, preprocessing.width
        return pixels if pixels.shape[:2] == size else resize(pixels, size)
    return apply_crop(pixels, rule(draws(0, 0, 0), *pixels.shape[:2]))
