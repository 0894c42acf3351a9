"""The short form of `experiments/chaos.py`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_five_kills_do_not_change_the_run(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.chaos", "--kills=5", "--longest=5"]
    command += ["--steps=5000", f"--workdir={tmp_path / 'chaos'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=280)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same run after 5 kills" in done.stdout
