"""How a file is written: all of it or nothing, and on the disk before anybody relies on it.

The content goes into `.NAME.new` in the same directory, is brought onto the disk, and takes the
name in one step. A kill leaves the old file or the new one, and at worst a `.NAME.new` beside it,
which the next write replaces. JSON is strict: it knows no NaN and no infinity, and null stands in
their place.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnn_jax.config.addresses import refuse_addresses
from cnn_jax.config.problems import InputError, hint

CANNOT_BE_SYNCED = {errno.EINVAL, errno.ENOTSUP}  # of a directory, where a file system does not
Write = Callable[[IO[bytes]], object]


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file in one step.

    Args:
        path: its directory exists.
        content: of the file.

    Raises:
        InputError: it cannot be written.
    """
    replace(path, lambda file: file.write(content), needed=len(content))


def write_text(path: Path, text: str) -> None:
    """Replaces a text file, in UTF-8, in one step; raises as `write_bytes`.

    Of a file name, bytes that are no UTF-8 stand as Python escapes them.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, tree: Any, indent: int | None = 2) -> None:
    """Replaces a file of strict JSON in one step; raises as `write_bytes`."""
    write_text(path, json_text(tree, indent) + "\n")


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Replaces an .npz file in one step; raises as `write_bytes`."""
    entries: dict[str, Any] = dict(arrays)
    needed = sum(array.nbytes for array in arrays.values())
    replace(path, lambda file: np.savez(file, **entries), needed)


def replace(path: Path, write: Write, needed: int | None = None) -> None:
    """Replaces a file by what a function writes, in one step.

    Args:
        path: its directory exists.
        write: is given the open file.
        needed: bytes, as far as they are known, for the message.

    Raises:
        InputError: it cannot be written; the old file is untouched.
    """
    fresh = temporary(path)
    try:
        with fresh.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise cannot_write(path, error, needed) from error
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def check_output(flag: str, name: str | Path | None, suffixes: Collection[str] = ()) -> None:
    """Refuses a file that could not be written in the end, before any work is done for it.

    Args:
        flag: that names it, for the message: `--output`.
        name: of the file; one that is there already will be replaced. None or empty: none is
            written.
        suffixes: that its name may have; none: any.

    Raises:
        InputError: its directory is not there or cannot be written into, the name is that of a
            directory, or has another suffix; or it is the address of a store.
    """
    if not name:
        return
    refuse_addresses([(flag, str(name))])
    path = Path(name)
    where = f"{flag}={str(path)!a}" if not str(path).isprintable() else f"{flag}={path}"
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{where}: unknown format{hint(path.suffix, suffixes)}")
    if os.path.isdir(path):
        raise InputError(f"{where} is a directory: the name of a file in it is needed")
    if not os.path.isdir(path.parent):
        raise InputError(f"{where}: {path.parent} is no directory; make it first")
    fresh = temporary(path)
    try:
        fresh.open("wb").close()
        fresh.unlink()
    except (OSError, ValueError) as error:  # ValueError: a null byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{where} cannot be written: {reason}") from error


def temporary(path: Path) -> Path:
    """Returns the file in which the next content of `path` is made: `.NAME.new`."""
    return path.with_name(f".{path.name}.new")


def sync_directory(directory: Path) -> None:
    """Brings the names in a directory onto the disk."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in CANNOT_BE_SYNCED:
            raise
    finally:
        os.close(opened)


def cannot_write(path: Path, error: Exception, needed: int | None = None) -> InputError:
    """Returns what is said of a file or directory that cannot be written.

    Args:
        path: of it.
        error: what the system said.
        needed: bytes, as far as they are known.
    """
    reason = getattr(error, "strerror", None) or (str(error).strip() or repr(error)).splitlines()[0]
    parts = [f"{path} cannot be written: {reason:.300}"]
    if needed is not None:
        parts.append(f"{needed:,} bytes are needed")
    try:
        existing = next(p for p in (path, *path.parents) if p.exists())
        parts.append(f"{shutil.disk_usage(existing).free:,} bytes are free")
    except (OSError, StopIteration):  # the disk is gone, too
        pass
    return InputError("; ".join(parts) + ". What was there is kept; mend it and run this again")


def json_text(tree: Any, indent: int | None = None) -> str:
    """Returns strict JSON of a tree; NaN and infinities become null."""
    return json.dumps(without_infinities(tree), indent=indent, allow_nan=False)


def without_infinities(tree: Any) -> Any:
    """Returns a tree for strict JSON: NaN and infinities, which it does not know, as null."""
    if isinstance(tree, dict):
        return {name: without_infinities(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [without_infinities(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def with_nan(tree: Any) -> Any:
    """Returns a tree of numbers as it was before it became strict JSON: NaN for null."""
    if isinstance(tree, dict):
        return {name: with_nan(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [with_nan(value) for value in tree]
    return math.nan if tree is None else tree


def with_nan_at(tree: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Returns a dict in which null is NaN under those of the names that it has."""
    return tree | {name: math.nan for name in names if name in tree and tree[name] is None}


def read_json(path: Path) -> Any:
    """Returns the JSON in a file, or None when there is no such file.

    Raises:
        InputError: the file is not JSON, or cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:  # of JSON, or of UTF-8
        raise InputError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
