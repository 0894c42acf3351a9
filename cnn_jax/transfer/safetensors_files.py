"""Files of the safetensors format, read without the package of that name.

Eight bytes with the length of a header, the header in JSON (name -> dtype, shape, and where the
numbers begin and end), and the numbers in row order, little-endian.
"""

from __future__ import annotations

import json
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any, Final

from cnn_jax.transfer.tensors import BFLOAT16, Storage, Tensor

LENGTH: Final = 8  # bytes in front of the header
LONGEST_HEADER: Final = 100_000_000  # bytes: as the format says
DTYPES: Final = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": BFLOAT16,
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "?",
    "C64": "c8",
}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file by name; their numbers are still in it.

    Raises:
        ValueError: it is damaged, or holds numbers that numpy does not have.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if not 2 <= length <= min(size - LENGTH, LONGEST_HEADER):
            raise ValueError(f"cut short: a header of {length:,} bytes in a file of {size:,}")
        try:
            header = json.loads(file.read(length))
        except RecursionError as error:
            raise ValueError("a damaged header") from error
    first = LENGTH + length
    return {
        name: _tensor(path, name, entry, first, size - first)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _tensor(path: Path, name: str, entry: Any, first: int, room: int) -> Tensor:
    try:
        kind, shape = entry["dtype"], tuple(entry["shape"])
        start, end = entry["data_offsets"]
        numbers = (start, end, *shape)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a damaged header: {name}") from error
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError(f"a damaged header: {name}")
    if kind not in DTYPES:
        raise ValueError(f"{name} holds {kind}, which numpy does not have")
    if not start <= end <= room:
        raise ValueError(f"cut short: {name} ends at byte {end:,} of {room:,}")

    def read() -> bytes:
        with path.open("rb") as file:
            file.seek(first + start)
            return file.read(end - start)

    storage = Storage(DTYPES[kind], prod(shape), read)
    if storage.nbytes != end - start:
        raise ValueError(f"{name} declares {storage.nbytes:,} bytes and has {end - start:,}")
    strides = tuple(accumulate(shape[:0:-1], lambda a, b: a * b, initial=1))[::-1]
    return Tensor(storage, 0, shape, strides[: len(shape)] if shape else ())
