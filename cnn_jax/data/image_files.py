"""Image files as a user has them, seen as an evaluation sees them."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import CropRule, draws
from cnn_jax.data.decode import decode
from cnn_jax.data.listing import SUFFIXES, LeftOut, list_images
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.regular_files import printable, read_file
from cnn_jax.data.resize import apply_crop, resize_by
from cnn_jax.data.unreadable import UnreadableError


def find_images(paths: list[str], say: Callable[[str], None] = lambda text: None) -> list[Path]:
    """Returns the files that `paths` name: a file itself, or all images of a folder, sorted.

    Args:
        paths: of files, whatever they are called, and of folders.
        say: is told once, in a line, what was left out of the folders.

    Raises:
        InputError: a name is empty, a path does not exist, or a folder holds no image.
    """
    if "" in paths:
        raise InputError("'' is no name of a file or folder; . is the folder you are in")
    found: list[Path] = []
    left_out = LeftOut()
    for path in map(Path, paths):
        shown = printable(str(path))
        try:
            mode = path.stat().st_mode
        except FileNotFoundError as error:
            raise InputError(f"{shown}: no such file or folder") from error
        except OSError as error:
            raise InputError(f"{shown} cannot be found: {error.strerror}") from error
        if not stat.S_ISDIR(mode):
            found.append(path)
            continue
        listing = list_images(path)
        left_out.add(listing.left_out)
        if not listing.images:
            rest = left_out.describe()
            raise InputError(
                f"{shown}: no images inside; known are {', '.join(sorted(SUFFIXES))}"
                + (f"; {rest}" if rest else "")
            )
        found += [Path(image.path) for image in listing.images]
    if text := left_out.describe():
        say(text)
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
        raise InputError(f"{printable(str(path))} cannot be read: {error}") from error
    if rule.size is None:
        size = preprocessing.height, preprocessing.width
        return resize_by(pixels, size, preprocessing.resize)
    crop = rule(draws(0, 0, 0), *pixels.shape[:2])
    return apply_crop(pixels, crop, None, preprocessing.resize)
