"""A batch of CIFAR's Python version, read without executing what it says.

A pickle may name any function, and unpickling calls it. The official files name three, by which
numpy made an array of uint8; here plain holders stand in their place, and any other name ends the
reading.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

RECONSTRUCT = "_reconstruct"
ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class _Dtype:
    """Stands for `numpy.dtype`, and keeps by what it was called."""

    def __init__(self, code: Any, *others: Any):
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Its byte order says nothing of a uint8."""


class _Array:
    """Stands for an array, and keeps its state."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _array(*arguments: Any) -> _Array:
    return _Array()


class _Unpickler(pickle.Unpickler):
    """Knows the three names and no other."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ARRAY_MODULES and name == RECONSTRUCT:
            return _array
        if module == "numpy" and name in ("ndarray", "dtype"):
            return {"ndarray": _Array, "dtype": _Dtype}[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no official file does")


def batch_of(content: bytes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns pixels uint8 (N, 3072) and labels int32 (N,) of a batch.

    Args:
        content: of the file.
        label: key of the labels.

    Raises:
        Exception: it is no such batch: any of several kinds.
    """
    found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    if not isinstance(found, dict):
        raise pickle.UnpicklingError("it holds no dictionary")
    batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in found.items()}
    if missing := [key for key in ("data", label) if key not in batch]:
        raise pickle.UnpicklingError(f"it has no {missing[0]!r}")
    held, labels = batch["data"], batch[label]
    if not isinstance(held, _Array) or held.state is None:
        raise pickle.UnpicklingError("its 'data' is no array")
    _, shape, dtype, fortran, content = held.state
    if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1") or fortran:
        raise pickle.UnpicklingError("its 'data' is no array of uint8 in the order of C")
    pixels = np.frombuffer(content, np.uint8).reshape(shape)
    if pixels.ndim != 2:
        raise pickle.UnpicklingError(f"its 'data' has {pixels.ndim} dimensions")
    if not isinstance(labels, list) or not all(type(one) is int for one in labels):
        raise pickle.UnpicklingError(f"its {label!r} is no list of whole numbers")
    if len(labels) != len(pixels):
        raise pickle.UnpicklingError(f"it has {len(pixels)} images and {len(labels)} labels")
    return pixels, np.array(labels, np.int32)
