"""A directory in an object store, through fsspec: whole objects, by name.

A store knows no rename and no append: an object is there as a whole, the old one or the new one.
Directories are parts of names. The only file that knows fsspec.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from cnn_jax.config.addresses import checked_address
from cnn_jax.config.problems import InputError

IN_ONE_PIECE: Final = 32 << 20  # bytes; larger files are sent in parts, and are one object then
TOLD: Final = ("size", "generation", "etag", "ETag", "mtime", "LastModified")
TIMES: Final = ("mtime", "LastModified")


class Listed(NamedTuple):
    """An object as a store lists it.

    Attributes:
        told: what is another, once the object is another.
        written: seconds since 1970; None: not told.
    """

    told: tuple[str, ...]
    written: float | None


class ObjectStore:
    """What lies below an address.

    Args:
        where: names the address in messages: `--workdir`.
        address: `gs://bucket/directory`.

    Raises:
        InputError: the kind of store is unknown, or the package that reaches it is missing.
    """

    def __init__(self, where: str, address: str):
        self.kind = checked_address(where, address)
        self.address = address.rstrip("/")
        self._where = where
        # Imported here: it takes a moment, and runs on a disk need not wait for it.
        import fsspec

        for package in ("gcsfs", "s3fs"):
            logging.getLogger(package).setLevel(logging.ERROR)  # it warns at each operation

        scheme, _, rest = self.address.partition("://")
        self._root = rest
        try:
            self._files = fsspec.filesystem(scheme, use_listings_cache=False)
        except ImportError as error:
            raise InputError(
                f"{where}={address}: {self.kind.name} is reached by a package that is missing here "
                f"({error}); pip install -e '.[{self.kind.extra}]' has it"
            ) from error
        except Exception as error:  # of the package: it may look for credentials at once
            raise self.unreachable(error) from error

    def unreachable(self, error: Exception) -> InputError:
        """Returns what is said where the store does not do what it should."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return InputError(
            f"{self._where}={self.address} cannot be used: {reason:.300}. Is the bucket there, and "
            f"may this machine read and write in it? Rights come from: {self.kind.credentials}"
        )

    def listing(self) -> dict[str, Listed]:
        """Returns all objects below the address, by name."""
        self._files.invalidate_cache()
        try:
            found = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        start = self._root + "/"
        return {
            path[len(start) :]: _listed(about)
            for path, about in found.items()
            if path.startswith(start) and not path.endswith("/")  # that is a mark of a directory
        }

    def read(self, name: str) -> bytes | None:
        """Returns an object; None where there is none."""
        self._files.invalidate_cache()
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces an object, in one step."""
        self._files.pipe_file(self._path(name), content)

    def send(self, file: Path, name: str, size: int, growing: bool) -> None:
        """Replaces an object by a file, in one step.

        Args:
            file: what comes after `size` is not sent.
            name: of the object.
            size: bytes.
            growing: whether somebody may be appending to it.
        """
        if size > IN_ONE_PIECE and not growing:
            self._files.put_file(str(file), self._path(name))
            return
        with file.open("rb") as opened:
            self.write(name, opened.read(size))

    def fetch(self, name: str, file: Path, written: float | None) -> None:
        """Writes an object into a file of that time; its directory is made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._files.get_file(self._path(name), str(file))
        if written is not None:
            os.utime(file, (written, written))

    def delete(self, name: str) -> None:
        """Deletes an object; one that is gone is gone."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _listed(about: dict[str, Any]) -> Listed:
    times = [about[key] for key in TIMES if about.get(key) is not None]
    at = times[0].timestamp() if times and isinstance(times[0], datetime.datetime) else None
    return Listed(tuple(str(about.get(key)) for key in TOLD), at)
