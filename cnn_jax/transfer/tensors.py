"""The tensors that PyTorch pickles: a view of a storage, whose numbers lie elsewhere in the file.

A tensor here is the view alone; its storage is read when its numbers are asked for. So the state of
an optimizer, as large as the weights themselves, costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final

import numpy as np

from cnn_jax.transfer.pickles import Named, Unknown

BFLOAT16: Final = "bfloat16"  # numpy does not know it: it is read as float32
# PyTorch's names of the kinds of storages, and of its dtypes -> dtypes of numpy.
STORAGES: Final = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "UntypedStorage": "u1",
    "BoolStorage": "?",
    "ComplexFloatStorage": "c8",
    "ComplexDoubleStorage": "c16",
}
DTYPES: Final = {
    "float64": "f8",
    "float32": "f4",
    "float16": "f2",
    BFLOAT16: BFLOAT16,
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint64": "u8",
    "uint32": "u4",
    "uint16": "u2",
    "uint8": "u1",
    "bool": "?",
    "complex64": "c8",
    "complex128": "c16",
}


@dataclass(eq=False)
class Storage:
    """Numbers in a row, somewhere in a file.

    Attributes:
        dtype: of numpy, or `bfloat16`.
        count: how many numbers there are.
        read: returns their bytes, in the order of this machine.
    """

    dtype: str
    count: int
    read: Callable[[], bytes]

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.count * (2 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize)

    @cached_property
    def numbers(self) -> np.ndarray:
        """All of them, (count,); bfloat16 as float32.

        Raises:
            ValueError: there are fewer bytes than that.
        """
        content = self.read()
        if len(content) < self.nbytes:
            raise ValueError(f"a tensor has {len(content):,} bytes and says {self.nbytes:,}")
        if self.dtype != BFLOAT16:
            return np.frombuffer(content, self.dtype, self.count)
        high_half = np.frombuffer(content, np.uint16, self.count).astype(np.uint32)
        return (high_half << 16).view(np.float32)


@dataclass(eq=False)
class Tensor:
    """A view of a storage, as `torch.Tensor`.

    Attributes:
        storage: that it is a view of.
        offset: of its first number, in numbers.
        shape: as numpy's.
        strides: from one entry to the next along each axis, in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        whole = (self.offset, *self.shape, *self.strides)
        if not isinstance(self.storage, Storage) or len(self.shape) != len(self.strides):
            raise ValueError("a tensor that is no view of a storage")
        if not all(isinstance(number, int) and number >= 0 for number in whole):
            raise ValueError("a tensor of a shape below zero")
        last = self.offset + sum(
            (length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True)
        )
        if prod(self.shape) and last >= self.storage.count:
            raise ValueError(
                f"a tensor ends at number {last:,} of a storage of {self.storage.count:,}"
            )

    def array(self) -> np.ndarray:
        """Returns its numbers; a view, which cannot be written to.

        Raises:
            ValueError: the file has fewer.
        """
        numbers = self.storage.numbers
        if not prod(self.shape):
            return np.zeros(self.shape, numbers.dtype)
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, strides, writeable=False
        )


class PickledArray:
    """A numpy array, whose numbers stand in the pickle itself."""

    def __init__(self, *_: Any):
        self._state: Any = None

    def set_state(self, state: Any) -> None:
        """Takes (version, shape, dtype, whether in Fortran order, bytes)."""
        self._state = state

    def array(self) -> np.ndarray:
        """Returns it.

        Raises:
            ValueError: it is no array of numbers.
        """
        try:
            _, shape, dtype, fortran, content = self._state
            if not isinstance(dtype, PickledDtype) or not isinstance(content, bytes):
                raise ValueError("an array of objects")
            flat = np.frombuffer(content, dtype.dtype())
            return flat.reshape(shape, order="F" if fortran else "C")
        except TypeError as error:
            raise ValueError("a damaged array") from error


class PickledDtype:
    """A dtype of numpy: its kind and size, and in its state the order of bytes."""

    def __init__(self, name: str, *_: Any):
        self._name, self._order = name, "<"

    def set_state(self, state: Any) -> None:
        """Takes (version, order of bytes, ...)."""
        self._order = state[1] if state[1] in ("<", ">") else "<"

    def dtype(self) -> np.dtype:
        """Returns it.

        Raises:
            ValueError: it is none of numbers.
        """
        if str(self._name) not in {dtype for dtype in DTYPES.values() if dtype != BFLOAT16}:
            raise ValueError(f"an array of {str(self._name)[:20]!r}")
        return np.dtype(self._order + str(self._name))


def dtype_of(kind: Any) -> str:
    """Returns the dtype of a kind of storage, or of a dtype of PyTorch, as a pickle names them.

    Raises:
        ValueError: numpy has none like it.
    """
    name = kind.name.rpartition(".")[2] if isinstance(kind, Named) else ""
    dtype = STORAGES.get(name) or DTYPES.get(name)
    if dtype is None:
        raise ValueError(f"a tensor of {name or kind!r}, which numpy does not have")
    return dtype


def _rebuilt(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _retyped(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
    """A tensor of a dtype that has no kind of storage: the storage is one of bytes."""
    kind = next((item for item in rest if isinstance(item, Named)), Named(""))
    name = kind.name.rpartition(".")[2]
    if name not in DTYPES:
        return Unknown(kind.name)
    size = np.dtype(np.uint16 if name == BFLOAT16 else DTYPES[name]).itemsize
    typed = Storage(DTYPES[name], storage.count // size, storage.read)
    return Tensor(typed, offset, tuple(shape), tuple(strides))


def _first(value: Any, *_: Any) -> Any:
    return value


def _called(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """A tensor with attributes, or of a class derived from `torch.Tensor`."""
    if isinstance(function, Named) and function.name in MAKERS:
        return MAKERS[function.name](*arguments)
    return Unknown(getattr(kind, "name", "torch.Tensor"))


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> PickledArray:
    """An array as pickles of protocol 5 have it."""
    made = PickledArray()
    made.set_state((1, shape, dtype, order == "F", bytes(content)))
    return made


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    """Bytes, as pickles of protocol 2 and below write them."""
    if encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise ValueError("bytes in an unknown encoding")
    return str(text).encode(encoding)


def _dict(*arguments: Any) -> dict[Any, Any]:
    """A dict, of whatever kind; old pickles give its entries as pairs."""
    for argument in arguments:
        if isinstance(argument, list):
            return {k: v for k, v in argument if isinstance(k, str)}
        if isinstance(argument, dict):
            return dict(argument)
    return {}


MAKERS: Final[dict[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _dict,
    "torch.Size": lambda lengths=(): tuple(lengths),
    "torch._utils._rebuild_tensor": _rebuilt,
    "torch._utils._rebuild_tensor_v2": _rebuilt,
    "torch._utils._rebuild_tensor_v3": _retyped,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_xla_tensor": _first,
    "torch._utils._rebuild_device_tensor_from_numpy": _first,
    "torch._tensor._rebuild_from_type_v2": _called,
    "numpy.core.multiarray._reconstruct": PickledArray,
    "numpy._core.multiarray._reconstruct": PickledArray,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "numpy.dtype": PickledDtype,
    "_codecs.encode": _encoded,
    "__builtin__.bytes": lambda *_: b"",  # empty ones, in protocol 2
}
