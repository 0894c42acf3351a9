"""Image files as a user has them, seen as an evaluation sees them."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import CropRule, draws
from cnn_jax.data.decode import decode
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.regular_files import SUFFIXES, images_under, read_file
from cnn_jax.data.resize import apply_crop, resize
from cnn_jax.data.unreadable import UnreadableError


def find_images(paths: list[str]) -> list[Path]:
    """Returns the files that `paths` name: a file itself, or all images of a folder, sorted.

    Raises:
        InputError: a name is empty, a path does not exist, or a folder holds no image.
    """
    if "" in paths:
        raise InputError("'' is no name of a file or folder; . is the folder you are in")
    found: list[Path] = []
    for path in map(Path, paths):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file or folder") from error
        except OSError as error:
            raise InputError(f"{path} cannot be found: {error.strerror}") from error
        if not stat.S_ISDIR(mode):
            found.append(path)
            continue
        inside = images_under(path)
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
        pixels = decode(read_file(path), preprocessing.channels)
    except UnreadableError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if rule.size is None:
        size = preprocessing.height, preprocessing.width
        return pixels if pixels.shape[:2] == size else resize(pixels, size)
    return apply_crop(pixels, rule(draws(0, 0, 0), *pixels.shape[:2]))
