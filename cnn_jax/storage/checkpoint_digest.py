"""Digests of checkpoint files: storage that lies is found out before its numbers are used.

They lie in the checkpoint itself and are written before it gets its name, so that no moment has a
checkpoint without them. Earlier versions kept them in `checkpoint_digests`, and wrote them later.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from cnn_jax import files
from cnn_jax.config.problems import InputError

NAME: Final = "digests.json"
SEALED: Final = "sealed"  # in the record of a checkpoint: it has digests, or has lost them
# Written by the storage layer in the moment of the commit; nothing is restored from them.
COMMIT_MARKS: Final = {"_CHECKPOINT_METADATA", "commit_success.txt", NAME}


class Digests:
    """The digests of all checkpoints of a run.

    Args:
        checkpoints: the directory that holds a directory for every step.
        records: where an earlier version kept the digests, one file a step.
    """

    def __init__(self, checkpoints: Path, records: Path):
        self.checkpoints, self.records = checkpoints, records

    def known(self, step: int) -> bool:
        """Whether a checkpoint can be checked: one of an earlier version may lack its digests."""
        return (self.checkpoints / str(step) / NAME).exists() or self._earlier(step) is not None

    def damage(self, step: int) -> str:
        """Returns what differs from the digests of a checkpoint; empty when nothing does.

        Nothing differs from digests that are not there: see `known`.
        """
        directory = self.checkpoints / str(step)
        try:
            inside = files.read_json(directory / NAME)
        except InputError:
            return f"{NAME} is damaged"
        expected = self._earlier(step) if inside is None else inside
        if expected is None:
            return ""
        if not isinstance(expected, dict) or not expected:
            return f"{NAME} lists nothing"
        now = digest(directory)
        for name in sorted(expected):
            if name not in now:
                return f"{name} is missing"
            if expected[name] != now[name]:
                return f"{name} has changed since it was written"
        return ""

    def set_aside(self, step: int) -> Path:
        """Moves a checkpoint out of the way, and returns where it lies: in `damaged_checkpoints`.

        Raises:
            InputError: it cannot be moved.
        """
        aside = self.checkpoints.parent / "damaged_checkpoints"
        target, number = aside / str(step), 1
        while target.exists():
            number += 1
            target = aside / f"{step}-{number}"
        try:
            aside.mkdir(exist_ok=True)
            shutil.move(self.checkpoints / str(step), target)
            self.forget(step)
        except OSError as error:
            raise files.cannot_write(target, error) from error
        return target

    def forget(self, step: int) -> None:
        """Drops the digests that an earlier version kept of a checkpoint."""
        self._record(step).unlink(missing_ok=True)

    def _earlier(self, step: int) -> dict[str, str] | None:
        """Returns what an earlier version wrote; None too where a kill left half of it."""
        try:
            expected = files.read_json(self._record(step))
        except InputError:
            return None
        return expected if isinstance(expected, dict) and expected else None

    def _record(self, step: int) -> Path:
        return self.records / f"{step}.json"


def seal(directory: Path) -> None:
    """Writes the digests of a checkpoint into it, before it gets its name.

    Raises:
        InputError: they cannot be written.
    """
    sums = {name: value for name, value in digest(directory).items() if name not in COMMIT_MARKS}
    files.write_json(directory / NAME, sums, indent=None)


def digest(directory: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below a directory, by relative path."""
    sums = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            sums[str(path.relative_to(directory))] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums
