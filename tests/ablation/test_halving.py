"""Successive halving: where trials are judged, who goes on, and that nothing else changes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.halving import Rung, rungs_of
from cnn_jax.ablation.pauses import NONE, Pauses
from cnn_jax.ablation.search import check, run_search
from cnn_jax.ablation.search_picture import draw_search
from cnn_jax.ablation.search_report import report
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import Stage
from tests.ablation.test_search import RATE, Bowl, Result, search


class PausingBowl(Bowl):
    """Stands in for training: early on the loss is further from the least, in the same order."""

    def __init__(self, diverge_above: float = 0.3):
        super().__init__(diverge_above)
        self.epochs = 0.0  # trained in all, if a trial that pauses goes on
        self.reached: dict[tuple[str, int], float] = {}

    def __call__(
        self, members: Sequence[Member], directory: Path, pauses: Pauses = NONE
    ) -> list[Result]:
        self.seen.append((directory.name, list(members)))
        return [self.until(member, directory.name, pauses) for member in members]

    def until(self, member: Member, stage: str, pauses: Pauses) -> Result:
        whole, result = member.config.train.epochs, self.result(member)
        epochs = pauses.epochs.get(member.index, whole)
        before = self.reached.get((stage, member.index), 0.0)
        self.reached[stage, member.index] = max(before, epochs)
        if result.state != "diverged":
            self.epochs += max(0.0, epochs - before)
        if result.state == "diverged" or epochs == whole:
            return result
        final = {"validation_error": 0.9, "validation_loss": 1 + result.final["validation_loss"]}
        return Result(member, "paused", final)


ONE = (Stage(27, 27.0, 5),)
EVERY = {"evaluation.every_epochs": 1.0}


def test_the_rungs_of_a_bracket() -> None:
    """As the bracket s = 3 of Table 1 of Li et al. (2018): R = 81, eta = 3."""
    assert rungs_of(Stage(27, 81.0), 3, 1.0) == [Rung(3.0, 9), Rung(9.0, 3), Rung(27.0, 1)]
    stage = ONE[0]
    assert rungs_of(stage, 3, 2.0) == [Rung(3.0, 9), Rung(9.0, 3)], "no evaluation before"
    assert rungs_of(replace(stage, trials=5), 3, 1.0) == [Rung(9.0, 1)], "one has to go on"
    assert rungs_of(stage, 1, 1.0) == rungs_of(replace(stage, trials=1), 2, 1.0) == []


@given(st.integers(1, 500), st.floats(0.1, 300), st.integers(2, 9), st.floats(0.01, 5))
def test_rungs_of_any_stage(trials: int, epochs: float, eta: int, least: float) -> None:
    rungs = rungs_of(Stage(trials, epochs, 1), eta, least)
    for rung, later in zip(rungs, [*rungs[1:], Rung(epochs, 0)], strict=False):
        assert least <= rung.epochs < later.epochs <= epochs
        assert trials > rung.kept > later.kept and rung.kept >= 1


def test_hopeless_trials_stop_early_and_the_winner_is_the_same(tmp_path: Path) -> None:
    all_of_it, halved, said = PausingBowl(), PausingBowl(), []
    made = search(stages=ONE, trial_changes=EVERY)
    (plain,) = run_search(made, tmp_path / "all", all_of_it, lambda _: None)
    made = replace(made, halving=3)
    (round_,) = run_search(made, tmp_path / "halved", halved, said.append)
    assert round_.ranked()[0] == plain.ranked()[0], "what it has trained does not depend on it"
    stopped = [trial for trial in round_.trials if trial.state == "stopped"]
    diverged = [trial for trial in round_.trials if trial.state == "diverged"]
    assert [len(round_.ranked()), len(stopped) + len(diverged)] == [1, 26]
    assert {trial.epochs for trial in stopped} == {1.0, 3.0, 9.0}
    assert halved.epochs < all_of_it.epochs / 5
    assert any("after 3 epochs: 3 of 9 trials go on" in line for line in said)
    assert [t.epochs for t in round_.in_order()] == sorted(
        (t.epochs for t in round_.in_order()), key=lambda epochs: -(epochs or 27.0)
    )
    tables, command = report([round_], "CONFIG", [], tmp_path)
    assert command is not None and "--config.train.epochs=27.0" in command
    told = f"{len(stopped)} of 27 trials were stopped early, as others were better on validation"
    assert any(told in note and "6 after 3 epochs" in note for note in tables[0].notes)
    assert tables[0].text().count("epochs") > 1
    draw_search([round_], "a search", tmp_path / "search.png")
    record = json.loads((tmp_path / "halved" / "search.json").read_text())
    assert record["search"]["halving"] == 3
    states = [trial["state"] for trial in record["stages_run"][0]["trials"]]
    assert states == [trial.state for trial in round_.trials]
    assert "test" not in json.dumps(record["stages_run"])


def test_a_search_that_is_made_again_is_the_same(tmp_path: Path) -> None:
    class Interrupted(PausingBowl):
        def __call__(
            self, members: Sequence[Member], directory: Path, pauses: Pauses = NONE
        ) -> list[Result]:
            if len(self.seen) == 2:
                raise KeyboardInterrupt
            return super().__call__(members, directory, pauses)

    stages = (Stage(9, 9.0, 4), Stage(4, 9.0, 1))
    made = search(stages=stages, trial_changes=EVERY, halving=2)
    with pytest.raises(KeyboardInterrupt):
        run_search(made, tmp_path / "a", Interrupted(), lambda _: None)
    on = run_search(made, tmp_path / "a", PausingBowl(), lambda _: None)
    assert on == run_search(made, tmp_path / "b", PausingBowl(), lambda _: None)
    assert len(on[0].in_order()) > len(on[0].ranked()), "stopped ones span ranges, too"
    with pytest.raises(InputError, match="halving: 2 in the run directory, 1 now"):
        run_search(replace(made, halving=1), tmp_path / "a", PausingBowl())
    with pytest.raises(InputError, match=r"search.halving = 0"):
        check(replace(made, halving=0))


def test_it_is_said_where_no_trial_can_stop_early(tmp_path: Path) -> None:
    said: list[str] = []
    made = search(stages=(Stage(2, 1.0, 1),), trial_changes=EVERY, halving=3)
    (round_,) = run_search(made, tmp_path, Bowl(), said.append)
    assert "no trial stops early" in said[0]
    assert {trial.state for trial in round_.trials} <= {"done", "diverged"}
    assert all(trial.values[RATE] for trial in round_.trials)
