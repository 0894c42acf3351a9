"""Writes what `torch.save(state_dict)` writes, without torch.

A zip archive, nothing compressed: `archive/data.pkl`, a pickle of protocol 2 that calls for its
tensors by number, and `archive/data/0` and so on, their bytes. The pickle names what rebuilds a
tensor, `torch._utils._rebuild_tensor_v2`, and types of storage such as `torch.FloatStorage`, which
Python's own pickler could write only where torch can be imported: so the opcodes stand here.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from itertools import accumulate
from typing import IO, Any, Final

import numpy as np

STORAGES: Final = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
REBUILD: Final = b"ctorch._utils\n_rebuild_tensor_v2\n"
NO_HOOKS: Final = b"ccollections\nOrderedDict\n)R"
# Opcodes: a mark, a tuple of all above the mark, what is called with a tuple, False.
MARK, TUPLE, CALL, FALSE = b"(", b"t", b"R", b"\x89"


def write_state_dict(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a state dict that `torch.load(..., weights_only=True)` opens.

    Args:
        file: open for writing.
        arrays: by name, float32, float64 or int64.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", _pickle(arrays))
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{number}", _little(array).tobytes())
        archive.writestr("archive/version", "3\n")


def _pickle(arrays: Mapping[str, np.ndarray]) -> bytes:
    tensors = (_plain(name) + _tensor(i, array) for i, (name, array) in enumerate(arrays.items()))
    return b"".join((b"\x80\x02}", MARK, *tensors, b"u."))


def _tensor(number: int, array: np.ndarray) -> bytes:
    """What rebuilds a tensor: storage, first number, shape, strides, no gradient, no hooks."""
    storage = f"ctorch\n{STORAGES[array.dtype.name]}\n".encode()
    persistent = (
        *(MARK, _plain("storage"), storage, _plain(str(number)), _plain("cpu")),
        *(_plain(array.size), TUPLE, b"Q"),
    )
    strides = tuple(accumulate(array.shape[:0:-1], lambda a, b: a * b, initial=1))[::-1]
    shape = array.shape
    about = (_plain(0), _plain(shape), _plain(strides[: len(shape)]), FALSE, NO_HOOKS)
    return b"".join((REBUILD, MARK, *persistent, *about, TUPLE, CALL))


def _plain(value: Any) -> bytes:
    """The opcodes of a word, a number or a tuple of numbers, without those of a whole pickle."""
    return pickle.dumps(value, 2)[2:-1]


def _little(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
