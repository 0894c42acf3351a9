"""Image files as a user has them, brought to the size that a network was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_jax.config.problems import InputError
from cnn_jax.data.preprocessing import Preprocessing

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


def load_image(path: Path, preprocessing: Preprocessing) -> np.ndarray:
    """Returns an image file as uint8 (H, W, C) of the size that the record asks for.

    It is turned as its EXIF tag says, made grey or RGB, and resized without keeping its aspect.

    Raises:
        InputError: the file is not an image, is cut short, or has too many pixels.
    """
    mode = "L" if preprocessing.channels == 1 else "RGB"
    size = (preprocessing.width, preprocessing.height)
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert(mode)
            pixels = np.asarray(upright.resize(size, Image.Resampling.BILINEAR))
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return pixels.reshape(preprocessing.height, preprocessing.width, preprocessing.channels)
