"""After a divergence a run goes back and leaves out the batches at which it broke."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.step.state import TrainState
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training import feeds, loop, session
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.rollback import Skipped, read_skipped
from tests import configs

pytestmark = pytest.mark.usefixtures("no_pictures")
BAD = 17  # the step whose batch ruins the weights
# Forty steps; a checkpoint at every tenth.
KEYS: dict[str, Any] = {"guard.rollbacks": 2, "log.every_steps": 1, "checkpoint.every_epochs": 1.6}


def failed(step: int, checkpoint: int) -> DivergedError:
    return DivergedError(step, float("nan"), 1.0, 0.1, checkpoint)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 60), st.integers(1, 5))
def test_ever_more_is_left_out_and_nothing_before_the_checkpoint(
    checkpoint: int, more: int, count: int, times: int
) -> None:
    step, skipped = checkpoint + more, Skipped()
    for _ in range(times):
        further = skipped.after(failed(step, checkpoint), count)
        if further is None:
            assert skipped.steps == set(range(checkpoint, step + 1)), "there is nothing more"
            break
        new = further.steps - skipped.steps
        assert 1 <= len(new) <= count and skipped.steps < further.steps
        assert checkpoint <= min(new) and max(new) <= step
        skipped = further


@pytest.fixture
def ruinous(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes one batch ruin the weights; returns the steps that were made, in their order."""
    made: list[int] = []
    make_feed = feeds.make_feed

    def with_a_bad_batch(run: Any, like: TrainState) -> Any:
        feed = make_feed(run, like)

        def advance(state: TrainState, first: int, steps: int) -> Any:
            made.extend(range(first, first + steps))
            state, metrics = feed(state, first, steps)
            if first <= BAD < first + steps:
                metrics = metrics | {"stopped": np.array(metrics["stopped"])}
                metrics["stopped"][BAD - first] = 1
            return state, metrics

        return advance

    monkeypatch.setattr(loop, "make_feed", with_a_bad_batch)
    return made


def train(directory: Path, **keys: Any) -> dict[str, Any]:
    config = configs.make(KEYS | {name.replace("__", "."): value for name, value in keys.items()})
    with Preemption() as preemption:
        return session.train(config, directory, preemption, time.time()).result


def logged(directory: Path) -> list[int]:
    return [e["step"] for e in read_metrics(directory / "metrics.jsonl") if e["kind"] == "train"]


@pytest.mark.slow
def test_a_run_goes_on_past_the_batch(ruinous: list[int], tmp_path: Path) -> None:
    result = train(tmp_path / "a", guard__look_back=False)
    assert result["step"] == 40 and result["skipped_steps"] == [BAD - 1, BAD]
    (one,) = read_skipped(tmp_path / "a").rollbacks
    assert (one["step"], one["checkpoint"]) == (BAD, 10)
    # A line tells of the step with the number before it.
    assert logged(tmp_path / "a") == [n for n in range(1, 41) if n - 1 not in (BAD - 1, BAD)]
    again = train(tmp_path / "b", guard__look_back=False)
    assert again["loss"] == result["loss"], "the same config gives the same run"


@pytest.mark.slow
def test_killed_after_it_went_back_it_is_the_same_run(
    ruinous: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole")
    make_steps = loop.Training._make_steps

    def step_and_signal(self: loop.Training, steps: int) -> None:
        if self.step >= BAD and self._skipped:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
        make_steps(self, steps)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_make_steps", step_and_signal)
        with pytest.raises(PreemptionRequested):
            train(tmp_path / "cut")
    resumed = train(tmp_path / "cut")
    assert resumed["loss"] == whole["loss"]
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1], "bit for bit"


@pytest.mark.slow
def test_it_ends_where_it_goes_back_too_often(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        train(tmp_path, optim__learning_rate=1e6, schedule__warmup_epochs=0.0)
    assert len(read_skipped(tmp_path).rollbacks) == 2
    assert not (tmp_path / "result.json").exists()


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "skipped.json").write_text(json.dumps({"rollbacks": [{"skipped": ["x"]}]}))
    with pytest.raises(InputError, match="skipped.json is damaged"):
        read_skipped(tmp_path)
