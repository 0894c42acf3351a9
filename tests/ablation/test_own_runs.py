"""Members that no shared program can hold are trained one after another, as any other run."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.ablation.own_runs import curve_of
from cnn_jax.ablation.population import MemberResult, train_members
from cnn_jax.ablation.shares import Share, share_of
from cnn_jax.config.problems import InputError
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training import loop, session
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from tests import configs
from tests.ablation.populations import DIVERGING, RATES, members
from tests.data.files import folder

pytestmark = [
    pytest.mark.xdist_group("own runs"),
    pytest.mark.usefixtures("no_pictures"),
]
ALONE = {"train__dispatch": "step", "parallel__devices": 1}


def quiet(_: str) -> None:
    pass


def without_member(results: list[MemberResult]) -> list[dict[str, Any]]:
    return [{k: v for k, v in vars(one).items() if k != "member"} for one in results]


def from_files(root: Path) -> dict[str, Any]:
    """Photographs of many sizes, cut at random: streamed."""
    return {
        "data__source": "folder",
        "data__directory": str(folder(root, each=6, test_each=4)),
        "data__kwargs": {},
        "data__train_examples": None,
        "data__shift_pixels": 0.0,
        "train_crop__name": "random_resized",
        "train_crop__kwargs": {"size": 16},
        "test_crop__name": "shorter_side",
        "test_crop__kwargs": {"size": 16, "shorter_side": 20},
        "train__batch_size": 4,
        "train__epochs": 2.0,
        "evaluation__batch_size": 8,
        "parallel__devices": 1,
    }


def test_a_run_of_its_own_is_the_member_of_a_population(tmp_path: Path) -> None:
    found = members(seeds=1, parallel__devices=1)
    first = train_members(found, tmp_path / "runs", share=Share(1, 2), say=quiet)
    assert [one.member.index for one in first] == [1], "the other call has not begun"
    one_by_one = train_members(found, tmp_path / "runs", share=Share(0, 2), say=quiet)
    together = train_members(found, tmp_path / "wave", strategy="sequential", say=quiet)
    for own, shared in zip(one_by_one, together, strict=True):
        assert own.curve == shared.curve, "bit for bit"
        assert own.final == {k: v for k, v in shared.final.items() if "train" not in k}
        assert (own.state, own.stopped_step) == (shared.state, shared.stopped_step)


@pytest.mark.parametrize("text", ["4/4", "1", "-1/2", "0/0", "a/b", "1/4/2"])
def test_a_share_that_there_is_not(text: str) -> None:
    with pytest.raises(InputError, match=f"--share={text}: shares are numbered from 0; allowed: 0"):
        share_of(text)


def test_every_member_is_of_one_share() -> None:
    shares = [share_of(f"{number}/3") for number in range(3)]
    assert all(sum(share.has(index) for share in shares) == 1 for index in range(20))
    assert share_of(None).whole and not shares[0].whole


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"train.dispatch": "step"}, marks=pytest.mark.slow),
        pytest.param({"parallel.mode": "pmap"}, marks=pytest.mark.slow),
        pytest.param({"parallel.shard_parameters": True}, marks=pytest.mark.slow),
        {"init_from.workdir": "{before}"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_config_is_trained_and_another_strategy_has_a_reason(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    """One level is enough: all members are then runs of their own."""
    before = tmp_path / "before"
    if "{before}" in changes.values():
        changes = {"init_from.workdir": str(before)}
        with Preemption() as preemption:
            session.train(configs.quick({"train.epochs": 1.0}), before, preemption, time.time())
    found = members({"how": {"alike": {}, "other": changes}}, seeds=1, train__epochs=1.0)
    (section, name), said = next(iter(changes)).split("."), []
    reason = f"--strategy=scan: config.{section}.*allowed: runs, which auto takes"
    with pytest.raises(InputError, match=reason):
        train_members(found, tmp_path / "no", strategy="scan", say=quiet)
    assert not (tmp_path / "no").exists()
    results = train_members(found, tmp_path / "all", say=said.append)
    assert [one.state for one in results] == ["done", "done"]
    assert "runs, one after another: config." + section in said[0] and name
    own = tmp_path / "own"
    with Preemption() as preemption:
        outcome = session.train(found[1].config, own, preemption, time.time())
    assert results[1].curve == curve_of(read_metrics(own / "metrics.jsonl"))
    assert results[1].final["test_loss"] == outcome.result["loss"]


@pytest.mark.slow
def test_streamed_photographs_killed_amid_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = members({"rate": RATES}, seeds=1, **from_files(tmp_path / "data"))
    whole = train_members(found, tmp_path / "whole", say=quiet)
    make_steps, second = loop.Training._make_steps, found[1].config.optim.learning_rate

    def step_and_signal(self: loop.Training, steps: int) -> None:
        if self.step and self.run.config.optim.learning_rate == second:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
        make_steps(self, steps)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_make_steps", step_and_signal)
        with Preemption() as preemption, pytest.raises(PreemptionRequested):
            train_members(found, tmp_path / "cut", preemption=preemption, say=quiet)
    said: list[str] = []
    again = train_members(found, tmp_path / "cut", say=said.append)
    assert without_member(again) == without_member(whole)
    told = [line for line in said if "member " in line and " of 2: " in line]
    assert len(told) == 1 and "member 2 of 2" in told[0], "a finished member is not trained again"


def test_a_diverging_member_is_marked_and_the_others_go_on(tmp_path: Path) -> None:
    found = members({"rate": DIVERGING | RATES}, seeds=1, **ALONE)
    results = train_members(found, tmp_path / "all", say=quiet)
    assert [one.state for one in results] == ["diverged", "done", "done"]
    assert results[0].stopped_step is not None and results[0].final == {}
    again = train_members(found, tmp_path / "all", say=quiet)
    assert without_member(again) == without_member(results)


def test_what_members_begin_with_is_read_before_any_trains(tmp_path: Path) -> None:
    levels = {"drawn": {}, "given": {"init_from.workdir": str(tmp_path / "nothing")}}
    found = members({"begin": levels}, seeds=1, **ALONE)
    with pytest.raises(InputError, match="factor 'begin', level 'given': .*nothing"):
        train_members(found, tmp_path / "all", say=quiet)
    assert not (tmp_path / "all" / "member-0").exists()
