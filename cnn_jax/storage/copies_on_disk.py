"""Where the copies of directories of stores lie on this machine, and whose they are."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from cnn_jax.config.problems import InputError


def new_directory(address: str) -> tuple[Path, IO[str]]:
    """Returns a new directory for a copy and its open lock, which tells that it is in use.

    What processes that were killed have left is removed.

    Args:
        address: what is copied, for its name.

    Raises:
        InputError: it cannot be made.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve()
        above = cache / "cnn_jax" / "copies"
        above.mkdir(parents=True, exist_ok=True, mode=0o700)
        for lock in above.glob("[!.]*.lock"):
            if _is_free(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        around = Path(tempfile.mkdtemp(dir=above))
        path = around / address.rpartition("/")[2]
        path.mkdir()
        held = above.joinpath(f".{around.name}.lock").open("w")
        fcntl.flock(held, fcntl.LOCK_EX)  # before it has the name under which others look for it
        Path(held.name).rename(lock_of(path))
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        raise InputError(
            f"{address} is worked on in a directory of this machine, which cannot be made: "
            f"{error}; the environment variable XDG_CACHE_HOME names another place"
        ) from error
    return path, held


def lock_of(path: Path) -> Path:
    """Returns the lock of a copy: a file beside what is around it."""
    return path.parent.with_name(f"{path.parent.name}.lock")


def _is_free(lock: Path) -> bool:
    """Whether the process that held a lock is gone."""
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False
