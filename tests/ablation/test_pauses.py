"""Members pause, are judged, and go on as if they had not: in shared programs and as own runs."""

from pathlib import Path
from typing import Any

import pytest

from cnn_jax.ablation.pauses import Pauses, paused_at
from cnn_jax.ablation.population import MemberResult, train_members
from tests.ablation.populations import DIVERGING, RATES, members

pytestmark = [pytest.mark.xdist_group("population"), pytest.mark.usefixtures("no_pictures")]


def quiet(_: str) -> None:
    pass


def plain(results: list[MemberResult]) -> list[dict[str, Any]]:
    return [{k: v for k, v in vars(one).items() if k != "member"} for one in results]


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        "scan",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("sequential", "vmap", "runs")),
    ],
)
def test_a_member_that_paused_is_the_one_that_did_not(strategy: str, tmp_path: Path) -> None:
    """Ten of twenty steps; then one member goes on, and the other does not."""
    found = members({"rate": RATES | DIVERGING}, seeds=1, parallel__devices=1)
    whole = train_members(found, tmp_path / "whole", strategy=strategy, say=quiet)
    there = tmp_path / "paused"

    def until(epochs: dict[int, float], final: bool) -> list[MemberResult]:
        pauses = Pauses(epochs, final)
        return train_members(found, there, strategy=strategy, say=quiet, pauses=pauses)

    judged = until({0: 1.5, 1: 1.5, 2: 1.5}, False)
    assert [one.state for one in judged] == ["paused", "paused", "diverged"]
    for one, all_of_it in zip(judged[:2], whole, strict=False):
        curve = all_of_it.curve
        assert one.curve["step"] == curve["step"][:10] and one.curve["validation_step"] == [10]
        assert one.curve["train_data_loss"] == curve["train_data_loss"][:10]
        figures = {"validation_error", "validation_loss"}
        assert one.final == {name: curve[name][0] for name in figures}
    assert plain(until({0: 1.5, 1: 1.5, 2: 1.5}, False)) == plain(judged), "read"
    ended = until({0: 1.5}, True)
    assert plain(ended[1:]) == plain(whole[1:]), "bit for bit"
    assert plain(ended[:1]) == plain(judged[:1])
    assert plain(until({0: 1.5}, True)) == plain(ended)
    assert plain(until({0: 1.5, 1: 1.5, 2: 1.5}, False)) == plain(judged), "a search made again"


@pytest.mark.parametrize(
    ("state", "stopped", "step", "becomes"),
    [
        ("done", None, 4, "paused"),
        ("diverged", 3, 4, "diverged"),
        ("diverged", 4, 4, "paused"),  # the fifth step was the first that exploded
        ("done", 4, 4, "done"),  # a plateau schedule had ended it
        ("done", 6, 4, "paused"),
    ],
)
def test_a_member_as_it_was_then(state: str, stopped: Any, step: int, becomes: str) -> None:
    curve = {"step": [1, 2, 3, 4, 5], "train_error": [5, 4, 3, 2, 1]}
    curve |= {"validation_step": [2, 4, 5], "validation_error": [0.5, 0.4, 0.1]}
    final = {"validation_error": 0.1, "test_error": 0.2} if state == "done" else {}
    record = {"state": state, "stopped_step": stopped, "curve": curve, "final": final}
    then = paused_at(record, step)
    assert then["state"] == becomes
    if becomes == "paused":
        assert then["final"] == {"validation_error": 0.4}, "nothing of test, nothing of later"
        assert then["curve"]["train_error"] == [5, 4, 3, 2] and then["stopped_step"] == step
    else:
        assert then == record
