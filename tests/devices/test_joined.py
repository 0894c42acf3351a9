"""Binaries beside `train` as several real processes: the numbers of one, and one that speaks."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.files import read_json
from tests.devices.test_distributed import child, command, goes_on, run, started

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("time")]
SHORT = {"train.epochs": 0.8, "schedule.warmup_epochs": 0.0}


def binary(name: str, words: list[str], *more: str) -> list[str]:
    """Returns the command of `train` with another binary."""
    at = words.index("experiments.train")
    return [*words[:at], f"experiments.{name}", *words[at + 1 :], *more]


def done(root: Path, words: list[str]) -> str:
    ended = run(root, words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def without_speed(result: dict[str, Any]) -> dict[str, Any]:
    own = ("seconds", "first_step_seconds", "images_per_second", "devices")
    return {key: value for key, value in result.items() if key not in own}


def test_seeds_and_their_evaluation_are_those_of_one_process(root: Path, tmp_path: Path) -> None:
    results, evaluations = [], []
    for count in (1, 2):
        workdir = tmp_path / f"run{count}"
        words = command(tmp_path, workdir, count, **SHORT)
        said = done(root, binary("seeds", words, "--seeds=2"))
        assert said.count("written to ") == 1 and said.count("seed 1, 2 of 2") == 1
        results.append([without_speed(one) for one in read_json(workdir / "seeds.json")])
        output = tmp_path / f"evaluation{count}.json"
        at = words.index("--") + 1
        evaluate = [*words[:at], words[at], "-m", "experiments.evaluate"]
        evaluate += [f"--workdir={tmp_path}/run1/seed-1", f"--output={output}", "--batch_size=4"]
        said = done(root, evaluate)
        assert said.count("n=17/17") == 1
        evaluations.append(read_json(output))
    for one, two in zip(*results, strict=True):
        assert one.keys() == two.keys() and one["seed"] == two["seed"]
        assert (one["n"], one["top1_error"]) == (two["n"], two["top1_error"])
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-9)
    assert evaluations[0] == evaluations[1], "bit for bit: the same weights, the same batches"


def test_a_reproduction_is_that_of_one_process(root: Path, tmp_path: Path) -> None:
    verdicts = []
    for count in (1, 2):
        workdir = tmp_path / f"run{count}"
        words = binary("reproduce", command(tmp_path, workdir, count, **SHORT))
        said = done(root, words)
        assert said.count("kept in ") == 1
        verdicts.append(read_json(workdir / "result.json"))
        assert (workdir / "reproduction.md").exists()
    one, two = verdicts
    assert (one["n"], one["top1_error"]) == (two["n"], two["top1_error"])
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-9)


def test_seeds_whose_second_process_is_killed_go_on(root: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    long = {"train.epochs": 3200.0, "schedule.name": "constant", "schedule.kwargs": {}}
    words = binary("seeds", command(tmp_path, workdir, 2, **long), "--seeds=2")
    launcher: subprocess.Popen[str] = started(root, words, workdir / "seed-0")
    os.kill(child(launcher, 1), signal.SIGKILL)
    out, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == 1, out
    assert "[0] error: process 1 was not heard of for 10 s" in out, out
    assert "resuming at step" in goes_on(root, words)
