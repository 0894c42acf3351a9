"""The embedded data: 1,797 real handwritten digits that scikit-learn ships.

E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository: 8x8 grey
images with values 0..16. The split is that of scikit-learn's own classification example: the first
898 train, the last 899 test. The writers come one after another, so the split keeps them apart.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Pixels
from cnn_jax.data.dataset import Dataset, Split

TRAIN_EXAMPLES = 898
LARGEST_VALUE = 16.0


def digits(*, size: Pixels = 32) -> Dataset:
    """Returns scikit-learn's 1,797 handwritten digits, resized bilinearly; nothing to download.

    Args:
        size: height and width of an image, pixels; 8 leaves the images as they are.

    Returns:
        898 training and 899 test images, uint8 (N, size, size, 1), ten classes.

    Raises:
        InputError: the size is not positive.
    """
    if size < 1:
        raise InputError(f"config.data.kwargs.size = {size}: must be at least 1")
    table = _read_table()
    grey = (table[:, :-1].reshape(-1, 8, 8) * (255.0 / LARGEST_VALUE)).astype(np.float32)
    images = np.stack([_resize(image, size) for image in grey])[..., None]
    labels = table[:, -1].astype(np.int32)
    return Dataset(
        train=Split(images[:TRAIN_EXAMPLES], labels[:TRAIN_EXAMPLES]),
        validation=Split(images[:0], labels[:0]),
        test=Split(images[TRAIN_EXAMPLES:], labels[TRAIN_EXAMPLES:]),
        class_names=tuple(str(digit) for digit in range(10)),
    )


def _read_table() -> np.ndarray:
    """Returns 1,797 rows of 64 pixels and a label.

    The file is read where scikit-learn keeps it: importing `sklearn.datasets` takes a second and a
    half, a good part of the time to the first step.
    """
    spec = importlib.util.find_spec("sklearn")
    for folder in spec.submodule_search_locations or () if spec else ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return np.column_stack([pixels, labels])


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.rint(np.asarray(resized)).astype(np.uint8)
