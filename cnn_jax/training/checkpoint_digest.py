"""Digests of checkpoint files: storage that lies is found out before its numbers are used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest(directory: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below a directory, by relative path."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            found[str(path.relative_to(directory))] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return found


def seal(directory: Path, record: Path) -> None:
    """Writes the digests of a finished checkpoint into the file `record`."""
    record.parent.mkdir(exist_ok=True)
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(digest(directory)))
    fresh.replace(record)


def damage(directory: Path, record: Path) -> str:
    """Returns what differs from the digests in `record`; empty when all agree or none are there."""
    if not record.exists():
        return ""
    expected, found = json.loads(record.read_text()), digest(directory)
    for name in sorted(expected):
        if name not in found:
            return f"{name} is missing"
        if expected[name] != found[name]:
            return f"{name} has changed since it was written"
    return ""
