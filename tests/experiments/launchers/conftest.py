"""A file for --setup, and a shell in which the programs of a cluster are stand-ins."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments.launchers.stand_ins import (
    Stubs,
    stand_in,
)


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    file = tmp_path / "setup.sh"
    file.write_text("module load python\nexport GREETING='it is'\n")
    return file


@pytest.fixture
def stubs(tmp_path: Path) -> Iterator[Stubs]:
    """Returns a function that runs a script with stand-ins, and returns what they were told."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run_with(
        script: str, programs: dict[str, str], **environment: str
    ) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        for name, does in programs.items():
            stand_in(folder / name, does)
        notes = tmp_path / "notes"
        notes.write_text("")
        place = {"PATH": f"{folder}:/usr/bin:/bin", "NOTES": str(notes), "HOME": str(tmp_path)}
        done = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=place | environment,
            timeout=60,
        )
        assert not (tmp_path / "made").exists(), "a word was run as a command"
        return done, [json.loads(line) for line in notes.read_text().splitlines()]

    yield run_with
