"""Files of `torch.save`, read without PyTorch and without running anything that they hold.

Since PyTorch 1.6 (2020) such a file is a zip archive: `NAME/data.pkl` with the pickled object, and
`NAME/data/KEY` with the numbers of each storage. Before that it was five parts behind each other:
a magic number, the version, the order of bytes, the pickled object, and the keys of the storages,
each pickled; then the storages in that order, each a count of 8 bytes and its numbers. Both are
described by torch/serialization.py.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from cnn_jax.data.npz import check_expansion
from cnn_jax.transfer.pickles import read_pickle
from cnn_jax.transfer.tensors import BFLOAT16, MAKERS, Storage, dtype_of

MAGIC: Final = 0x1950A86A20F9469CFC6C
VERSION: Final = 1001
OBJECT: Final = "/data.pkl"


def read_zip(path: Path) -> Any:
    """Returns the object of a file as it has been since 2020.

    Args:
        path: of a zip archive with an entry `NAME/data.pkl`.

    Returns:
        Dicts, lists, numbers, texts; `Tensor`, whose numbers are still in the file; and `Unknown`.

    Raises:
        InputError: it would expand beyond all measure.
        ValueError: it is damaged.
    """
    check_expansion(path)
    archive = zipfile.ZipFile(path)  # open as long as there are tensors to read
    names = set(archive.namelist())
    place = next(f"/{name}" for name in archive.namelist() if f"/{name}".endswith(OBJECT))
    root = place.removesuffix(OBJECT)[1:]
    inside = f"{root}/" if root else ""
    pickled = archive.read(f"{inside}data.pkl")
    order = archive.read(f"{inside}byteorder") if f"{inside}byteorder" in names else b"little"
    storages: dict[str, Storage] = {}

    def storage(key: str, dtype: str, count: int) -> Storage:
        name = f"{inside}data/{key}"
        if name not in names:
            raise ValueError(f"{name} is missing in it")

        def read() -> bytes:
            return _ordered(archive.read(name), dtype, order.decode())

        return storages.setdefault(key, Storage(dtype, count, read))

    return read_pickle(io.BytesIO(pickled), MAKERS, _persistent(storage))


def read_legacy(path: Path) -> Any:
    """Returns the object of a file as it was until 2020; as `read_zip`.

    Raises:
        ValueError: it is damaged, or no file of PyTorch.
    """
    size = path.stat().st_size
    places: dict[str, int] = {}
    storages: dict[str, Storage] = {}
    with path.open("rb") as file:
        bounded = Bounded(file, size)
        if read_pickle(bounded) != MAGIC or read_pickle(bounded) != VERSION:
            raise ValueError("it has not PyTorch's magic number")
        system = read_pickle(bounded)
        order = "little" if not isinstance(system, dict) else _order_of(system)

        def storage(key: str, dtype: str, count: int) -> Storage:
            def read() -> bytes:
                made = storages[key]
                return _ordered(_span(path, places[key], made.nbytes), dtype, order)

            return storages.setdefault(key, Storage(dtype, count, read))

        tree = read_pickle(bounded, MAKERS, _persistent(storage))
        keys = read_pickle(bounded)
        if not isinstance(keys, list):
            raise ValueError("a damaged list of storages")
        for key in keys:
            if key not in storages:
                raise ValueError("numbers of a tensor that is not there")
            (count,) = struct.unpack("<q" if order == "little" else ">q", file.read(8).ljust(8))
            if count != storages[key].count:
                raise ValueError(f"{count:,} numbers where {storages[key].count:,} are said to be")
            places[key] = file.tell()
            if places[key] + storages[key].nbytes > size:
                raise ValueError(f"cut short: it ends at byte {size:,}, within its numbers")
            file.seek(storages[key].nbytes, io.SEEK_CUR)
        if missing := storages.keys() - places.keys():
            raise ValueError(f"cut short: {len(missing)} storages are missing at its end")
    return tree


def read_plain(path: Path) -> Any:
    """Returns the object of a pickle of arrays, as some model zoos have it (.pkl).

    Raises:
        ValueError: it is damaged.
    """
    with path.open("rb") as file:
        return read_pickle(Bounded(file, path.stat().st_size), MAKERS)


class Bounded:
    """A file of which nobody reads more than is there, whatever length it claims."""

    def __init__(self, file: IO[bytes], size: int):
        self._file, self._size = file, size

    def read(self, count: int, /) -> bytes:
        """Returns so many bytes, or what is left."""
        return self._file.read(max(0, min(count, self._size - self._file.tell())))

    def readline(self) -> bytes:
        """Returns the bytes up to the end of the line."""
        return self._file.readline()


def _persistent(storage: Callable[[str, str, int], Storage]) -> Callable[[Any], Any]:
    """What a persistent id stands for: a storage, or the class of a module with its source."""

    def load(given: Any) -> Any:
        if not isinstance(given, tuple) or len(given) < 2:
            raise ValueError("a damaged reference")
        if given[0] == "module":
            return given[1]
        if given[0] != "storage" or len(given) < 5:
            raise ValueError("a reference to something unknown")
        _, kind, key, _, count, *view = given
        if not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise ValueError("a damaged reference to a storage")
        whole = storage(key, dtype_of(kind), count)
        return _part(whole, view[0]) if view and view[0] is not None else whole

    return load


def _part(whole: Storage, view: Any) -> Storage:
    """Returns the part of a storage that PyTorch called a view of it, before 0.4."""
    _, offset, count = view
    if not isinstance(offset, int) or not isinstance(count, int) or min(offset, count) < 0:
        raise ValueError("a damaged view of a storage")
    start = offset * (whole.nbytes // max(whole.count, 1))
    return Storage(whole.dtype, count, lambda: whole.read()[start:])


def _order_of(system: dict[str, Any]) -> str:
    return "little" if system.get("little_endian", True) else "big"


def _span(path: Path, start: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(count)


def _ordered(content: bytes, dtype: str, order: str) -> bytes:
    """Returns numbers in the order of bytes of this machine."""
    if order == sys.byteorder:
        return content
    size = 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize
    part = size // 2 if dtype.startswith("c") else size
    usable = len(content) // part * part
    return np.frombuffer(content[:usable], f"V{part}").view(f"u{part}").byteswap().tobytes()
