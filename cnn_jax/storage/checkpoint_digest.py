"""Digests of checkpoint files: storage that lies is found out before its numbers are used."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path


class Digests:
    """The digests of all checkpoints of a run, one file beside each.

    Args:
        checkpoints: the directory that holds a directory for every step.
        records: where the digests are kept.
    """

    def __init__(self, checkpoints: Path, records: Path):
        self.checkpoints, self.records = checkpoints, records

    def seal(self, steps: set[int]) -> None:
        """Writes the digests that finished checkpoints lack; drops those of deleted ones."""
        self.records.mkdir(exist_ok=True)
        for step in steps:
            directory = self.checkpoints / str(step)
            if directory.is_dir() and not self._record(step).exists():
                fresh = self._record(step).with_suffix(".new")
                fresh.write_text(json.dumps(digest(directory)))
                fresh.replace(self._record(step))
        for file in self.records.glob("*.json"):
            if not (self.checkpoints / file.stem).is_dir():
                file.unlink()

    def damage(self, step: int) -> str:
        """Returns what differs from the digests of a checkpoint; empty when nothing does.

        A checkpoint that was killed before its digests were written has none: nothing differs.
        """
        if not self._record(step).exists():
            return ""
        expected = json.loads(self._record(step).read_text())
        found = digest(self.checkpoints / str(step))
        for name in sorted(expected):
            if name not in found:
                return f"{name} is missing"
            if expected[name] != found[name]:
                return f"{name} has changed since it was written"
        return ""

    def set_aside(self, step: int) -> None:
        """Moves a damaged checkpoint out of the way, to `damaged_checkpoints`."""
        aside = self.checkpoints.parent / "damaged_checkpoints"
        aside.mkdir(exist_ok=True)
        target = aside / str(step)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(self.checkpoints / str(step), target)
        self.forget(step)

    def forget(self, step: int) -> None:
        """Drops the digests of a checkpoint."""
        self._record(step).unlink(missing_ok=True)

    def _record(self, step: int) -> Path:
        return self.records / f"{step}.json"


def digest(directory: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below a directory, by relative path."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            found[str(path.relative_to(directory))] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return found
