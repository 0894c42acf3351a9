"""Arrays in an .npz file that a user brings: what it declares is looked at before it is read."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from cnn_jax.config.problems import InputError

# Deflate makes 1 byte of 1,000 zeros: 3 MB on the disk may be 3 GB in memory. Trained weights and
# probabilities hardly shrink, sorted labels and names do, and those are small.
MOST_EXPANSION = 32
ALWAYS_ALLOWED = 1 << 28  # bytes: so much may come of a file of any size


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file by name; no pickled objects.

    Args:
        path: of the file.

    Raises:
        InputError: it would expand beyond all measure, or an array is not as long as it says.
        Exception: numpy or zipfile cannot read it: any of several kinds.
    """
    check_expansion(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                declared = _declared(file, f"{path}: {member.filename.removesuffix('.npy')}")
            if declared != member.file_size:
                raise InputError(
                    f"{path} is damaged: {member.filename} declares {declared:,} bytes and has "
                    f"{member.file_size:,}"
                )
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def check_expansion(path: str | Path) -> None:
    """Refuses a zip file that would expand beyond all measure.

    Raises:
        InputError: it would.
        Exception: zipfile cannot read it.
    """
    with zipfile.ZipFile(path) as archive:
        expanded = sum(member.file_size for member in archive.infolist())
    size = os.path.getsize(path)
    if expanded > max(ALWAYS_ALLOWED, MOST_EXPANSION * size):
        raise InputError(
            f"{path} has {size:,} bytes and would expand to {expanded:,}, more than "
            f"{MOST_EXPANSION} times as many: save it without compression if it is meant so"
        )


def _declared(file: IO[bytes], name: str) -> int:
    """The bytes of an .npy file, by its header (numpy.lib.format, versions 1 to 3)."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):  # version 3 differs from 2 in the encoding of names alone
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InputError(
            f"{name} holds pickled objects, which may run code and are never read; allowed: arrays "
            "of numbers and words"
        )
    return file.tell() + math.prod(shape) * dtype.itemsize
