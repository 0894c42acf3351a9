"""The directory of a run: created once, locked while in use, never reused for another config."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from cnn_jax import __version__, files
from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.files import read_json
from cnn_jax.storage.working_copy import copy_of, settled

__all__ = ["RunDirectory", "check_directory", "origin", "read_json"]

SECONDS_OF_A_LOOK, MOMENTS = 0.02, 3  # at the lock, by `experiments.runs`
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class RunDirectory:
    """An open run directory; the lock is held until the process ends or `close` is called.

    Args:
        path: is created if it does not exist.

    Raises:
        InputError: the directory cannot be used, or another process trains in it.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            str(self.path.absolute()).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"--workdir={str(path)!a}: its path is no UTF-8, and no checkpoint can be written "
                "under such a name; allowed: any other"
            ) from error
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (self.path / ".lock").open("w")
        except OSError as error:
            raise InputError(f"--workdir={path}: {error.strerror}") from error
        try:
            _lock(self._lock)
        except OSError as error:
            self._lock.close()
            why = "another process trains there"
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                why = f"it cannot be locked: {error.strerror}"
            raise InputError(f"--workdir={path}: {why}") from error
        if (copy := copy_of(self.path)) is not None:
            try:
                copy.claim()
            except InputError:
                self._lock.close()
                raise

    def close(self) -> None:
        """Gives the lock back; of a store, once all that was written is there."""
        try:
            settled(self.path)
        finally:
            self._lock.close()

    def claim(self, config: dict[str, Any]) -> None:
        """Writes `config.json`: from here on the directory belongs to this run.

        `completed` are the keys that an earlier version did not have when the run began.

        Args:
            config: the config tree.

        Raises:
            InputError: as `check_directory`.
        """
        check_directory(self.path, config)
        saved = self.read("config.json") or {}
        completed = saved.get("completed", [])
        if "config" in saved:
            new = set(complete(saved["config"])[1]) - set(complete(config)[1])
            completed = sorted(new.union(completed))
        record = {"config": config, "config_hash": config_hash(config), "completed": completed}
        self.write("config.json", record | origin())

    def check_free(self, kind: str, record: str) -> None:
        """Checks that nothing lies here, before something of a kind begins.

        Args:
            kind: of what begins, with its article: `an ablation`.
            record: the file that would tell that one has begun.

        Raises:
            InputError: there are other files.
        """
        others = _others(self.path, record)
        if others:
            raise InputError(
                f"--workdir={self.path} holds {', '.join(others[:5])} but no {record}: it is "
                f"not the directory of {kind}; choose an empty or a new one"
            )

    def check_same(self, kind: str, differences: Sequence[str]) -> None:
        """Checks that what began here is what is asked for now.

        Args:
            kind: of what began, in one word.
            differences: a line each; none: it is the same.

        Raises:
            InputError: there are differences.
        """
        if differences:
            raise InputError(
                f"--workdir={self.path} holds another {kind}; nothing was changed.\n  "
                + "\n  ".join(differences)
                + "\nTo continue that one give its file; "
                "to start this one choose another --workdir."
            )

    def read(self, name: str) -> Any:
        """Returns the JSON in a file of the directory; None when it is not there."""
        return read_json(self.path / name)

    def write(self, name: str, tree: Any) -> None:
        """Writes strict JSON into a file, in one step: a reader sees the old text or the new one.

        Raises:
            InputError: it cannot be written.
        """
        files.write_json(self.path / name, tree)

    def write_text(self, name: str, text: str) -> None:
        """Writes text into a file, in one step; raises as `write`."""
        files.write_text(self.path / name, text)


def _lock(file: IO[str]) -> None:
    """Takes a lock; who only looks whether somebody has it holds it for a moment, too."""
    for _ in range(MOMENTS):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(SECONDS_OF_A_LOOK)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_directory(path: str | Path, config: dict[str, Any]) -> None:
    """Checks that a directory is new, or belongs to the run that a config describes.

    Args:
        path: the run directory; need not exist.
        config: the config tree.

    Raises:
        InputError: the directory belongs to a run whose `maths` keys differ, or holds other things.
    """
    path = Path(path)
    if not path.is_dir():
        return
    saved = read_json(path / "config.json")
    if saved is None:
        others = _others(path, "config.json")
        if others:
            raise InputError(
                f"--workdir={path} holds {', '.join(others[:5])} but no config.json: it is not a "
                "run directory; choose an empty or a new one"
            )
    elif lines := difference(*(to_tree(complete(tree)[0]) for tree in (saved["config"], config))):
        raise InputError(
            f"--workdir={path} holds a run with another config; nothing was changed.\n  "
            + "\n  ".join(lines)
            + "\nTo continue that run give its config; to start this one choose another --workdir."
        )


def _others(path: Path, record: str) -> list[str]:
    """Returns what lies in a directory beside a record; hidden files are nobody's."""
    names = (p.name for p in path.iterdir() if not p.name.startswith("."))
    return sorted(name for name in names if name != record)


def origin() -> dict[str, Any]:
    """Returns what made a result: command, machine, versions.

    Another processor rounds otherwise: the same config and seed may end at another error there.
    """
    versions = {name: metadata.version(name) for name in LIBRARIES}
    return {
        "command": sys.orig_argv,
        "machine": machine(),
        "versions": {"cnn_jax": __version__, "python": platform.python_version()} | versions,
    }


def machine() -> str:
    """Returns the processor and the number of its cores: `Intel(R) Xeon(R) CPU, 2 cores`."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()  # where Linux has the name
        name = next(line for line in lines if line.startswith("model name")).partition(":")[2]
    return f"{' '.join(name.split())}, {os.cpu_count()} cores"
