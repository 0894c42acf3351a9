"""SVHN's cropped digits, MATLAB files: Y. Netzer et al. (2011), Reading Digits in Natural Images.

`X` is (32, 32, 3, N), `y` has 10 for the digit 0.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.official_files import Content, Found, read
from cnn_jax.data.official_sets import SVHN_ADDRESS, OfficialFile
from cnn_jax.data.regular_files import printable

IMAGE = (32, 32, 3)


def find_mat(root: Path, files: tuple[OfficialFile, ...]) -> list[Found]:
    """Returns MATLAB files in a folder.

    Raises:
        InputError: one is not there.
    """
    found = [Found(root / official.name, official, "SVHN", SVHN_ADDRESS) for official in files]
    if missing := [one for one in found if not os.path.isfile(one.path)]:
        names = ", ".join(one.official.name for one in missing)
        raise InputError(
            f"config.data.directory = {printable(str(root))}: of the official files of SVHN "
            f"{names} {'is' if len(missing) == 1 else 'are'} not there; published at {SVHN_ADDRESS}"
        )
    return found


def digits_of(found: Found, checked: bool) -> tuple[np.ndarray, np.ndarray, Content]:
    """Returns images uint8 (N, 32, 32, 3), labels int32 (N,) from 0 to 9, and the content.

    Args:
        found: the file.
        checked: whether one that differs from the published one is refused.

    Raises:
        InputError: as `official_files.read`, or it holds something else.
    """
    from scipy.io import loadmat  # takes a fifth of a second

    content = read(found, checked)
    try:
        held = loadmat(found.path, variable_names=("X", "y"))
        images, labels = held["X"], held["y"].reshape(-1)
    except Exception as error:  # whatever scipy makes of a damaged file
        text = str(error) or type(error).__name__
        raise found.refused(f"is no MATLAB file with X and y: {text:.200}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != IMAGE:
        raise found.refused(f"holds X of {images.dtype} {images.shape}, not uint8 (32, 32, 3, N)")
    count = images.shape[3]
    if labels.dtype.kind not in "iu" or len(labels) != count or not count:
        raise found.refused(f"holds {count:,} images and {len(labels):,} labels {labels.dtype}")
    if labels.min() < 0 or labels.max() > 10:
        raise found.refused(f"has labels from {labels.min()} to {labels.max()}, not from 1 to 10")
    if checked and count != found.official.examples:
        raise found.refused(f"holds {count:,} images, not {found.official.examples:,}")
    return images.transpose(3, 0, 1, 2), (labels % 10).astype(np.int32), content
