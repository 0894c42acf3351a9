"""The content of image files, and names as they can be printed. Only regular files are opened.

Anything may lie under an image's name: a pipe that nobody writes to, a link to a device without an
end, a folder, a link to a disk that is not there. None of them is waited for, and none is left out
unsaid: `data.listing` lists it like an image, and it cannot be read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cnn_jax.config.problems import InputError
from cnn_jax.data.unreadable import UnreadableError

# No image within the limits of `decode` needs more, and a sparse file of any size costs nothing.
LARGEST_FILE = 1 << 30  # bytes
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(path: Path) -> bytes:
    """Returns the content of a regular file.

    Raises:
        UnreadableError: it is something else, is too large, or the system cannot read it.
    """
    try:
        _size(os.stat(path))  # before it is opened: to open a device may do something
        # Should it have become a pipe since, the call must not wait for a writer.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            return file.read(_size(os.fstat(opened)))
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from error


def _size(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnreadableError(f"{kind}, not a file")
    if status.st_size > LARGEST_FILE:
        raise UnreadableError(f"{status.st_size:,} bytes, more than {LARGEST_FILE:,}")
    return status.st_size


def read_head(path: str, length: int) -> bytes:
    """Returns the first bytes of a regular file, nothing where the system cannot read it."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            return file.read(length)
    except OSError:
        return b""


def printable(name: str) -> str:
    """Returns a name as it can be printed on a line: what cannot be is escaped, as in Python."""
    return name if name.isprintable() else repr(name)[1:-1]


def check_link(path: Path) -> None:
    """Refuses a link that leads nowhere.

    Raises:
        InputError: `path` is one.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise InputError(f"{printable(str(path))} is a link that leads nowhere: mend or remove it")
