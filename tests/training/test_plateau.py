"""A rate that follows the validation error: resumed bit for bit, alike on all devices."""

import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training import session
from cnn_jax.training.loop import Training
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.run import prepare
from tests import configs
from tests.slow_but import slow_but

pytestmark = pytest.mark.usefixtures("no_pictures")
# The rate is too low to learn much: the error stands still, and the rate drops.
PLATEAU = {
    "schedule.name": "plateau",
    "schedule.warmup_epochs": 0.0,
    "schedule.kwargs": {
        "factor": 0.1,
        "patience": 1,
        "every_epochs": 0.8,
        "min_improvement": 0.3,
        "drops": 2,
        "stop": False,
    },
    "optim.learning_rate": 1e-3,
    "optim.averaging": "ema",
}


def train(workdir: Path, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    config = configs.quick(PLATEAU | (overrides or {}))
    with Preemption() as preemption:
        return session.train(config, workdir, preemption, time.time()).result


def last_state(workdir: Path) -> Any:
    checkpoints = Checkpoints(workdir, read_only=True)
    latest = checkpoints.latest
    assert latest is not None
    tree, _ = checkpoints.read_arrays(latest)
    checkpoints.close()
    return tree


def rates(workdir: Path) -> list[float]:
    lines = read_metrics(workdir / "metrics.jsonl")
    return [line["learning_rate"] for line in lines if line["kind"] == "train"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("whole")
    train(workdir)
    return workdir


def test_the_rate_drops(whole: Path) -> None:
    """Evaluated every 5 steps; the first error improves on none, and those at 10 and 15 do not."""
    found = rates(whole)
    np.testing.assert_allclose(found, [1e-3] * 10 + [1e-4] * 5 + [1e-5] * 25, rtol=1e-5)
    plateau = last_state(whole)["plateau"]
    assert int(plateau["drops"]) == 2 and int(plateau["counted"]) == 40


def test_both_errors_are_logged_side_by_side(whole: Path) -> None:
    lines = [line for line in read_metrics(whole / "metrics.jsonl") if line["kind"] != "train"]
    result = json.loads((whole / "result.json").read_text())
    for tree in (*lines, result):
        for name in ("loss", "top1_error", "top5_error"):
            assert tree[name] >= 0 and tree[f"averaged_{name}"] >= 0
    assert result["averaged_loss"] != result["loss"]


@pytest.mark.parametrize(
    ("method", "at"),
    slow_but([("evaluation", 10)], [("_make_steps", 12), ("evaluation", 10), ("_save", 16)]),
)
def test_resume_is_bit_equal(
    method: str, at: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        original = getattr(Training, method)

        def wrapped(self: Training, *args: Any, **kwargs: Any) -> Any:
            if self.step >= at:
                self.preemption.answer()
            return original(self, *args, **kwargs)

        patch.setattr(Training, method, wrapped)
        with pytest.raises(PreemptionRequested):
            train(tmp_path)
    train(tmp_path)
    assert (whole / "metrics.jsonl").read_text() == (tmp_path / "metrics.jsonl").read_text()
    for one, other in zip(
        *(jax.tree.leaves(last_state(d)) for d in (whole, tmp_path)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_kill_between_evaluation_and_checkpoint_counts_once(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log holds the evaluation at step 10, the checkpoint of step 10 does not know it yet."""
    with monkeypatch.context() as patch:
        calls: list[int] = []
        original = Training.evaluation

        def wrapped(self: Training, *args: Any, **kwargs: Any) -> Any:
            if self.step == 10 and not calls:
                calls.append(self.step)
                self.preemption.answer()
            return original(self, *args, **kwargs)

        patch.setattr(Training, "evaluation", wrapped)
        with pytest.raises(PreemptionRequested):
            train(tmp_path)
    with monkeypatch.context() as patch:

        def killed(self: Training, steps: int) -> None:
            self.log.flush()
            raise KeyboardInterrupt

        patch.setattr(Training, "_make_steps", killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert read_metrics(tmp_path / "metrics.jsonl")[-1]["kind"] == "validation"
    train(tmp_path)
    assert (whole / "metrics.jsonl").read_text() == (tmp_path / "metrics.jsonl").read_text()


def test_the_rate_is_the_same_on_eight_devices(whole: Path, tmp_path: Path) -> None:
    keys = {"parallel.devices": 8, "parallel.mode": "pmap", "train.dispatch": "chunk"}
    train(tmp_path, keys)
    np.testing.assert_allclose(rates(whole), rates(tmp_path), rtol=1e-6)


def test_the_run_ends_where_the_next_drop_would_follow(tmp_path: Path) -> None:
    keys = {"schedule.kwargs.stop": True}
    result = train(tmp_path, keys)
    assert result["step"] == 20 and result["plateau_end"]
    before = (tmp_path / "metrics.jsonl").read_text()
    assert train(tmp_path, keys)["step"] == 20
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_without_validation_it_is_refused() -> None:
    with pytest.raises(InputError, match="there is no validation split"):
        prepare(configs.quick(PLATEAU | {"data.validation_folds": 0}))
