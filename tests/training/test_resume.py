"""A resumed run is the run: bit for bit, whatever ended it and wherever it was."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_directory import read_json
from cnn_jax.training import session
from cnn_jax.training.loop import Training
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.run import prepare
from tests import configs
from tests.training.killed_run import OVERRIDES

# One uninterrupted run serves them all.
pytestmark = [pytest.mark.xdist_group("resume"), pytest.mark.usefixtures("no_pictures")]
STEPS = 40


def train(workdir: Path, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    with Preemption() as preemption:
        return session.train(configs.quick(overrides), workdir, preemption, time.time()).result


def arrays(workdir: Path) -> dict[str, Any]:
    checkpoints = Checkpoints(workdir, read_only=True)
    tree, _ = checkpoints.read_arrays(STEPS)
    checkpoints.close()
    return tree


def assert_same_run(one: Path, other: Path) -> None:
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()
    first, second = arrays(one), arrays(other)
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)
    results = [read_json(d / "result.json") for d in (one, other)]
    for key in ("top1_error", "top5_error", "loss", "n", "step", "config_hash"):
        assert results[0][key] == results[1][key]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("uninterrupted")
    train(workdir)
    return workdir


@pytest.mark.slow
def test_kill_9_and_resume_is_bit_equal(tmp_path: Path) -> None:
    """40 steps here against 17 + kill -9 + resume: dropout, augmentation and batch norm are on."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [sys.executable, "-m", "tests.training.killed_run"]

    def run(*arguments: object) -> int:
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    train(whole, OVERRIDES)
    assert run(broken, 17) == -signal.SIGKILL
    # Step 10 is no regular checkpoint: its evaluation is the best so far.
    assert sorted(p.name for p in (broken / "checkpoints").glob("[0-9]*")) == ["0", "10", "16"]
    assert run(broken) == 0
    assert_same_run(whole, broken)


def interrupted_at(
    monkeypatch: pytest.MonkeyPatch, method: str, when: Callable[[Training], bool]
) -> None:
    """Sends this process SIGTERM just before a method of the loop runs, once."""
    original, sent = getattr(Training, method), []

    def wrapped(self: Training, *args: Any) -> Any:
        if not sent and when(self):
            sent.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
            deadline = time.monotonic() + 10
            while not self.preemption.requested and time.monotonic() < deadline:
                time.sleep(0.01)
        return original(self, *args)

    monkeypatch.setattr(Training, method, wrapped)


def best_of(workdir: Path) -> dict[str, float]:
    """Returns step -> validation error of the checkpoints that have one."""
    files = (workdir / "checkpoints").glob("*/metrics/metrics")
    return {file.parent.parent.name: read_json(file)["top1_error"] for file in files}


@pytest.mark.parametrize(
    ("method", "at"),
    [("_make_steps", 0), ("_make_steps", 13), ("evaluation", 20), ("_save", 20), ("_save", 40)],
    ids=["compile", "step", "evaluation", "save", "last save"],
)
def test_sigterm_in_every_phase(
    method: str, at: int, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupted_at(patch, method, lambda training: training.step >= at)
        with pytest.raises(PreemptionRequested):
            train(tmp_path)
    assert Checkpoints(tmp_path, read_only=True).latest is not None
    train(tmp_path)
    assert_same_run(uninterrupted, tmp_path)
    assert best_of(tmp_path) == best_of(uninterrupted)


def test_the_best_evaluation_of_the_log_is_saved(tmp_path: Path) -> None:
    """Where evaluations are many and regular checkpoints few, whatever the errors are."""
    train(tmp_path, {"checkpoint.every_epochs": 100.0, "evaluation.every_epochs": 0.48})
    lines = [x for x in read_metrics(tmp_path / "metrics.jsonl") if x["kind"] == "validation"]
    errors = {str(line["step"]): line["top1_error"] for line in lines}
    assert len(set(errors.values())) > 1
    saved = best_of(tmp_path)
    assert min(saved.values()) == min(errors.values())
    assert {step: errors[step] for step in saved} == saved


def test_a_finished_run_is_not_trained_again(uninterrupted: Path) -> None:
    before = (uninterrupted / "metrics.jsonl").stat().st_mtime_ns
    with Preemption() as preemption:
        outcome = session.train(configs.quick(), uninterrupted, preemption, time.time())
    assert not outcome.fresh and outcome.result["n"] == 17
    assert (uninterrupted / "metrics.jsonl").stat().st_mtime_ns == before


def test_a_longer_run_begins_with_the_shorter_one(tmp_path: Path) -> None:
    constant = {"schedule.name": "constant", "schedule.kwargs": {}}
    train(tmp_path / "grown", constant | {"train.epochs": 3.2})
    grown = train(tmp_path / "grown", constant)
    whole = train(tmp_path / "whole", constant)
    assert grown["step"] == STEPS and grown["loss"] == whole["loss"]


def damage_truncate(directory: Path) -> None:
    file = max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def damage_flip_a_bit(directory: Path) -> None:
    file = max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def damage_lose_the_record(directory: Path) -> None:
    for file in (directory / "record").rglob("*"):
        file.unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip_a_bit, damage_lose_the_record])
def test_a_damaged_checkpoint_falls_back(damage: Callable[[Path], None], tmp_path: Path) -> None:
    run = prepare(configs.quick())
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save(step, state.replace(step=state.step + step), {}, None)
    checkpoints.close()
    damage(tmp_path / "checkpoints" / "3")
    again = Checkpoints(tmp_path)
    with pytest.warns(UserWarning, match="checkpoint 3 cannot be read"):
        restored = again.restore(state)
    assert restored is not None and int(restored[0].step) == 2
    assert (tmp_path / "damaged_checkpoints" / "3").is_dir() and again.latest == 2
    again.save(3, state, {}, None)
    again.close()


def test_a_run_goes_on_from_the_checkpoint_before(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupted_at(patch, "_make_steps", lambda training: training.step >= 23)
        with pytest.raises(PreemptionRequested):
            train(tmp_path)
    newest = max(int(p.name) for p in (tmp_path / "checkpoints").glob("[0-9]*"))
    assert newest >= 23
    damage_flip_a_bit(tmp_path / "checkpoints" / str(newest))
    with pytest.warns(UserWarning, match=f"checkpoint {newest} cannot be read"):
        train(tmp_path)
    assert_same_run(uninterrupted, tmp_path)
