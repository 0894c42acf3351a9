"""The doctor writes into a store and reads it back."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.diagnostics.test_doctor import SMOKE, line_of


@pytest.mark.slow
def test_a_store_is_written_and_read_and_nothing_stays(root: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.storage.fake_store", str(tmp_path / "store")]
    words += ["experiments.doctor", SMOKE, "--workdir=fake://bucket/runs/a"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    line = line_of("workdir", done.stdout)
    assert line.startswith("ok") and "fake://bucket/runs/a is written and read" in line
    assert not [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
