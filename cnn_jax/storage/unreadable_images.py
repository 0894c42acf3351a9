"""The images that a run met and could not read, over all its calls and processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cnn_jax import files
from cnn_jax.storage.working_copy import copy_of

NAME = "unreadable_images"  # a directory of the run; each process has a file in it


class UnreadableImages:
    """Keeps what a process met beside the run: a call that goes on does not meet it again.

    Args:
        directory: of the run.
        process: which one this is.
        met: name -> reason; grows while the run goes on.
    """

    def __init__(self, directory: Path, process: int, met: Mapping[str, str]):
        self._directory, self._path = directory / NAME, directory / NAME / f"{process}.json"
        self._met = met
        self._kept: dict[str, str] = files.read_json(self._path) or {}

    def keep(self) -> None:
        """Brings what was met so far onto the disk.

        Raises:
            InputError: it cannot be written.
        """
        both = self._kept | dict(self._met)
        if both == self._kept:
            return
        try:
            self._directory.mkdir(exist_ok=True)
        except OSError as error:
            raise files.cannot_write(self._directory, error) from error
        files.write_json(self._path, dict(sorted(both.items())))
        if (copy := copy_of(self._path)) is not None:
            copy.send_file(self._path)  # not all processes bring what they write into a store
        self._kept = both

    def of_all(self) -> dict[str, str]:
        """Returns what all processes of all calls have kept, sorted by name."""
        if (copy := copy_of(self._path)) is not None:
            copy.fetch(NAME)
        found: dict[str, str] = {}
        for path in sorted(self._directory.glob("*.json")):
            found |= files.read_json(path) or {}
        return dict(sorted(found.items()))
