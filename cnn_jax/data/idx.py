"""Arrays in IDX, the format of MNIST's files.

Y. LeCun, C. Cortes, C. Burges, The MNIST database, "FILE FORMATS": two bytes of 0, the type (8:
uint8), the number of dimensions, the length of each as a big-endian uint32, the values.
"""

from __future__ import annotations

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.official_files import Content, Found

UINT8 = 8
WORDS = {1: "labels", 3: "images"}


def images_of(found: Found, content: Content, checked: bool) -> np.ndarray:
    """Returns the images of a file, uint8 (N, H, W, 1); nothing is copied.

    Args:
        found: the file.
        content: what it holds.
        checked: whether it must hold as many as the official one.

    Raises:
        InputError: it holds something else, or less or more than it says.
    """
    return array_of(found, content.data, 3, checked)[..., None]


def labels_of(found: Found, content: Content, checked: bool) -> np.ndarray:
    """Returns the labels of a file, int32 (N,); see `images_of`."""
    return array_of(found, content.data, 1, checked).astype(np.int32)


def array_of(found: Found, data: np.ndarray, dimensions: int, checked: bool) -> np.ndarray:
    """Returns the array of a file.

    Args:
        found: the file.
        data: its bytes.
        dimensions: that the array must have.
        checked: whether it must be as long as the official one.

    Raises:
        InputError: as `images_of`.
    """
    shape = _shape(found, data)
    if len(shape) != dimensions:
        raise found.refused(
            f"holds {_described(shape)}, and should hold {WORDS[dimensions]}: two files have each "
            "other's names, or this one was renamed",
            again=False,
        )
    if checked and shape[0] != found.official.examples:
        raise found.refused(
            f"holds {_described(shape)}, and should hold {found.official.examples:,}: train and "
            "test have each other's names, or it is of another set",
            again=False,
        )
    header = 4 + 4 * dimensions
    size = header + int(np.prod(shape, dtype=np.int64))
    if len(data) != size:
        odd = "the download is incomplete" if len(data) < size else "there is more in it than that"
        raise found.refused(
            f"holds {len(data):,} bytes unpacked, and {_described(shape)} take {size:,}: {odd}"
        )
    if size == header:
        raise found.refused(f"holds no {WORDS[dimensions]}", again=False)
    return data[header:].reshape(shape)


def _shape(found: Found, data: np.ndarray) -> tuple[int, ...]:
    head = bytes(data[:4])
    if head[:1] == b"<":
        raise found.refused("is a web page, not the file: the address was another one, or moved")
    dimensions = head[3] if len(head) == 4 and head[:3] == bytes([0, 0, UINT8]) else 0
    if dimensions not in WORDS or len(data) < 4 + 4 * dimensions:
        raise found.refused(f"is no IDX file of uint8: it begins with {head.hex(' ')!r}")
    lengths = np.frombuffer(bytes(data[4 : 4 + 4 * dimensions]), ">u4")
    return tuple(int(length) for length in lengths)


def _described(shape: tuple[int, ...]) -> str:
    what = f"{shape[0]:,} {WORDS[len(shape)]}"
    return f"{what} of {shape[1]}x{shape[2]}" if len(shape) == 3 else what


def check_pairs(images: Found, labels: Found, counts: tuple[int, int]) -> None:
    """Refuses two files of one split that are not of one length.

    Args:
        images: the file of the images.
        labels: the file of the labels.
        counts: of both.

    Raises:
        InputError: they differ.
    """
    if counts[0] != counts[1]:
        raise InputError(
            f"{images.shown} holds {counts[0]:,} images, {labels.shown} {counts[1]:,} labels: they "
            "are not of one split"
        )
