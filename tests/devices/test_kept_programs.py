"""Compiled programs are read again by the next process, and never decide whether a run works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_jax.devices import kept_programs
from tests.binaries import ROOT


def first_step(home: Path, workdir: Path, **more: str) -> str:
    """What a short run says of its programs."""
    kept = {"XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"}
    environment = {k: v for k, v in os.environ.items() if k not in kept}
    command = [sys.executable, "-m", "experiments.train", "--config=configs/smoke.py"]
    done = subprocess.run(
        [*command, f"--workdir={workdir}"],
        cwd=ROOT,
        env=environment | {"HOME": str(home)} | more,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("first step after")]
    return line


@pytest.mark.slow
def test_the_next_run_compiles_nothing_and_has_the_same_numbers(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lines = [first_step(home, tmp_path / name) for name in ("one", "two")]
    assert ", 0 read from " in lines[0] and ", 0 programs compiled, " in lines[1]
    assert str(home / ".cache" / "cnn_jax") in lines[1]
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("one", "two")]
    assert logs[0] == logs[1], "bit for bit"


@pytest.mark.slow
def test_whatever_stands_in_its_way_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file where a directory should be")
    assert "read from" not in first_step(tmp_path, tmp_path / "run")
    off = first_step(tmp_path / "other", tmp_path / "off", JAX_ENABLE_COMPILATION_CACHE="false")
    assert "read from" not in off and not (tmp_path / "other" / ".cache" / "cnn_jax").exists()
    own = first_step(tmp_path / "other", tmp_path / "own", JAX_COMPILATION_CACHE_DIR=str(tmp_path))
    assert (
        f"read from {tmp_path}" in own and not (tmp_path / "other" / ".cache" / "cnn_jax").exists()
    )


def test_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_programs, "LARGEST", 100)
    for age in range(12):
        path = tmp_path / f"program-{age}"
        path.write_bytes(bytes(10))
        os.utime(path, (1e9 - age, 1e9 - age))
    kept_programs._make_room(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"program-{i}" for i in range(5)]
    kept_programs._make_room(tmp_path)
    assert len(list(tmp_path.iterdir())) == 5, "what is small enough stays"


def test_another_processor_has_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    here = kept_programs.directory()
    monkeypatch.setattr("platform.machine", lambda: "another")
    assert kept_programs.directory() != here
