"""Random search, coarse to fine: with trials that are made up, and once with real ones."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.ablation import population_record
from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.ranges import edges
from cnn_jax.ablation.search import check, member_of, run_search
from cnn_jax.ablation.search_picture import draw_search, places
from cnn_jax.ablation.search_report import override_line, report
from cnn_jax.ablation.trials import Round, Trial
from cnn_jax.config import schema
from cnn_jax.config.problems import InputError
from tests.configs import quick

RATE, DECAY, ACTIVATION = "optim.learning_rate", "optim.weight_decay", "model.kwargs.activation"
BEST_RATE = 0.03


@dataclass(frozen=True)
class Result:
    member: Member
    state: str
    final: dict[str, float]


class Bowl:
    """Stands in for training: the loss is least at `BEST_RATE`, and explodes far above it."""

    def __init__(self, diverge_above: float = 0.3):
        self.seen: list[tuple[str, list[Member]]] = []
        self.diverge_above = diverge_above

    def __call__(self, members: Sequence[Member], directory: Path) -> list[Result]:
        self.seen.append((directory.name, list(members)))
        return [self.result(member) for member in members]

    def result(self, member: Member) -> Result:
        rate = member.config.optim.learning_rate
        if rate > self.diverge_above:
            return Result(member, "diverged", {})
        loss = math.log(rate / BEST_RATE) ** 2
        error = min(0.9, round(loss / 10, 2))  # coarse, as a count is: ties are frequent
        final = {"validation_error": error, "validation_loss": loss, "train_error": 0.0}
        return Result(
            member, "done", final | {"test_error": -loss, "n": 17}
        )  # it would prefer the worst


def search(**changes: Any) -> schema.Search:
    made = schema.base_search()
    made.base = schema.ConfigDict(quick())
    made.ranges = {
        RATE: schema.LogUniform(1e-4, 10.0),
        DECAY: schema.LogUniform(1e-6, 1e-2),
        ACTIVATION: schema.Choice(("relu", "tanh")),
    }
    made.stages = (schema.Stage(12, 1.0, 3), schema.Stage(6, 3.0, 2), schema.Stage(3, 8.0, 1))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_search_comes_closer_stage_by_stage(tmp_path: Path) -> None:
    bowl, said = Bowl(), []
    many = (schema.Stage(30, 1.0, 4), schema.Stage(12, 3.0, 3), schema.Stage(6, 8.0))
    rounds = run_search(search(stages=many), tmp_path, bowl, said.append)
    assert [name for name, _ in bowl.seen] == ["stage-1", "stage-2", "stage-3"]
    assert [len(members) for _, members in bowl.seen] == [30, 12, 6]
    assert {m.config.train.epochs for m in bowl.seen[1][1]} == {3.0}
    widths = [math.log(r.ranges[RATE].high / r.ranges[RATE].low) for r in rounds]
    assert widths[0] > 2 * widths[1] > 2 * widths[2]
    best = rounds[-1].ranked()[0]
    assert best.values[RATE] == pytest.approx(BEST_RATE, rel=0.2)
    losses = [r.ranked()[0].validation_loss for r in rounds]
    assert losses[-1] <= losses[0]
    assert any(trial.state == "diverged" for trial in rounds[0].trials)
    seeds = {tuple(m.config.seed.to_dict().values()) for _, ms in bowl.seen for m in ms}
    assert len(seeds) == 1, "all trials see the same data in the same order"
    record = json.loads((tmp_path / "search.json").read_text())
    assert [len(stage["trials"]) for stage in record["stages_run"]] == [30, 12, 6]
    assert "test" not in json.dumps(record["stages_run"])
    told = {"test_error": pytest.approx(-best.validation_loss), "n": 17}
    assert record["test_of_best"] == rounds[-1].test_of_best == told
    assert [r.test_of_best for r in rounds[:-1]] == [None, None]
    tables, _ = report(rounds, "CONFIG", [], tmp_path)
    assert [any("Test error" in note for note in t.notes) for t in tables] == [False, False, True]
    assert any("stage 2 of 3: 12 trials of 3 epochs" in line for line in said)


def test_the_same_search_again_is_the_same_and_another_is_refused(tmp_path: Path) -> None:
    one = run_search(search(), tmp_path, Bowl(), lambda _: None)
    before = (tmp_path / "search.json").read_bytes()
    assert run_search(search(), tmp_path, Bowl(), lambda _: None) == one
    assert (tmp_path / "search.json").read_bytes() == before
    with pytest.raises(InputError, match="seed: 0 in the run directory, 1 now"):
        run_search(search(seed=1), tmp_path, Bowl())
    with pytest.raises(InputError, match=r"optim.momentum: 0.9 in the run directory, 0.5 now"):
        run_search(search(trial_changes={"optim.momentum": 0.5}), tmp_path, Bowl())
    assert (tmp_path / "search.json").read_bytes() == before
    (tmp_path / "search.json").unlink()
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match=r"letter.txt but no search.json"):
        run_search(search(), tmp_path, Bowl())


def test_an_interrupted_search_goes_on_with_the_same_trials(tmp_path: Path) -> None:
    class Interrupted(Bowl):
        def __call__(self, members: Sequence[Member], directory: Path) -> list[Result]:
            if directory.name == "stage-2":
                raise KeyboardInterrupt
            return super().__call__(members, directory)

    with pytest.raises(KeyboardInterrupt):
        run_search(search(), tmp_path / "a", Interrupted(), lambda _: None)
    record = json.loads((tmp_path / "a" / "search.json").read_text())
    assert len(record["stages_run"]) == 1
    on = run_search(search(), tmp_path / "a", Bowl(), lambda _: None)
    assert on == run_search(search(), tmp_path / "b", Bowl(), lambda _: None)


def test_ties_are_broken_by_the_loss_and_test_is_not_looked_at() -> None:
    stage = schema.Stage(3, 1.0, 1)
    trials = [
        Trial(0, {RATE: 0.1}, "done", 0.02, 0.5, 0.0),
        Trial(1, {RATE: 0.2}, "diverged"),
        Trial(2, {RATE: 0.3}, "done", 0.02, 0.4, 0.0),
    ]
    round_ = Round(stage, {RATE: schema.LogUniform(1e-3, 1.0)}, trials)
    assert [trial.index for trial in round_.ranked()] == [2, 0]
    assert round_.ranked() == replace(round_, trials=trials[::-1]).ranked()


def test_the_edge_of_a_range_is_said(tmp_path: Path) -> None:
    ranges = {RATE: schema.LogUniform(1e-4, 1.0), "x": schema.Uniform(0.0, 1.0)}
    (low,) = edges(ranges, {RATE: 1.1e-4, "x": 0.5}, ranges)
    assert low == (
        "the best optim.learning_rate, 0.00011, lies at the edge of its range, "
        "0.0001 to 1, logarithmic: a better one may lie below 0.0001"
    )
    assert len(edges(ranges, {RATE: 0.99, "x": 0.01}, ranges)) == 2
    assert edges(ranges, {RATE: 0.01, "x": 0.5}, ranges) == []
    said: list[str] = []
    narrow = {RATE: schema.LogUniform(1e-4, 0.01)}
    rounds = run_search(search(ranges=narrow), tmp_path, Bowl(), said.append)
    assert any("note: the best optim.learning_rate" in line for line in said)
    tables, _ = report(rounds, "CONFIG", [], tmp_path)
    assert any("a better one may lie above 0.01" in note for note in tables[-1].notes)


def test_the_report_ends_in_a_command(tmp_path: Path) -> None:
    rounds = run_search(search(), tmp_path, Bowl(), lambda _: None)
    base, mine = "configs/digits/mlp.py:3_layers", ["--config.train.batch_size=50"]
    tables, command = report(rounds, base, mine, tmp_path / "a b")
    assert len(tables) == 3 and "of 12 trials" in tables[0].caption
    best = rounds[-1].ranked()[0].values
    chosen = (
        f"--config.train.batch_size=50 --config.optim.learning_rate={best[RATE]} "
        f"--config.optim.weight_decay={best[DECAY]} "
        f"--config.model.kwargs.activation={best[ACTIVATION]} "
        f"--config.train.epochs={float(rounds[-1].stage.epochs)}"
    )
    where = f"'--workdir={tmp_path}/a b/best'"
    assert command == f"python -m experiments.train --config={base} {chosen} {where}"
    assert report(rounds, "", mine, tmp_path)[1] == chosen, "no file could be named"
    assert "diverged and were stopped early" in tables[0].notes[0]
    assert override_line([], {"model.kwargs.layers": (8, 8)}).endswith("layers=(8, 8)'")


def test_a_search_has_a_picture(tmp_path: Path) -> None:
    rounds = run_search(search(), tmp_path, Bowl(), lambda _: None)
    draw_search(rounds, "a search", tmp_path / "search.png", "0123456789ab")
    assert {path.suffix for path in tmp_path.glob("search.*")} == {".json", ".png", ".pdf"}
    ranges = search().ranges
    assert places(ranges[RATE], [0.1, 1]) == [0.1, 1.0]
    assert places(ranges[ACTIVATION], ["tanh", "relu"]) == [1.0, 0.0]
    assert places(schema.Choice(((8, 8), (4,))), [(4,)]) == [1.0]


def test_all_trials_diverge(tmp_path: Path) -> None:
    said: list[str] = []
    rounds = run_search(search(), tmp_path, Bowl(diverge_above=0.0), said.append)
    assert len(rounds) == 1 and "all trials of stage 1 diverged" in said[-1]
    assert report(rounds, "CONFIG", [], tmp_path) == ([], None)
    draw_search(rounds, "nothing came to its end", tmp_path / "search.png")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"ranges": {"optim.learning_rat": schema.LogUniform(0.1, 1.0)}},
            r"range of optim.learning_rat: .*did you mean 'learning_rate'",
        ),
        (
            {"ranges": {"optim.momentum": schema.Uniform(0.5, 1.5)}},
            r"range of optim.momentum: config.optim.momentum = 1.5: must be at most 1",
        ),
        (
            {"ranges": {"train.batch_size": schema.Uniform(8, 64.5)}},
            r"range of train.batch_size: .*int is needed",
        ),
        (
            {"ranges": {"optim.name": schema.Choice(("adam", "sdg"))}},
            r"range of optim.name: .*'sdg' is unknown",
        ),
        ({"ranges": {RATE: schema.LogUniform(1.0, 0.1)}}, "must be below"),
        ({"trial_changes": {"data.validation_folds": 0}}, "judged on validation"),
    ],
)
def test_a_broken_range_fails_before_training(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check(search(**changes))


def test_a_search_as_it_should_be() -> None:
    check(search())


def test_real_trials(tmp_path: Path) -> None:
    from cnn_jax.ablation.population import train_members

    made = search(
        base=schema.ConfigDict(quick({"model.kwargs": {"layers": (4,)}, "data.kwargs.size": 4})),
        ranges={RATE: schema.LogUniform(1e-3, 1e-1)},
        stages=(schema.Stage(4, 1.0, 1), schema.Stage(2, 1.0, 1)),
    )
    check(made)

    def train(members: list[Member], directory: Path) -> Sequence[Any]:
        return train_members(members, directory, strategy="sequential", say=lambda _: None)

    rounds = run_search(made, tmp_path, train, lambda _: None)
    assert [len(r.trials) for r in rounds] == [4, 2]
    for round_ in rounds:
        assert round_.ranked()
        for trial in round_.ranked():
            assert trial.validation_error is not None and 0 <= trial.validation_error <= 1
            assert trial.validation_loss is not None and trial.validation_loss > 0
    assert rounds == run_search(made, tmp_path, train, lambda _: None), "read, not trained"


@pytest.mark.slow
def test_trials_go_over_folds_and_are_judged_by_the_mean(tmp_path: Path) -> None:
    from cnn_jax.ablation.population import train_members

    keys = {"model.kwargs": {"layers": (4,)}, "data.kwargs.size": 4, "data.validation_folds": 3}
    made = search(
        base=schema.ConfigDict(quick(keys)),
        ranges={RATE: schema.LogUniform(1e-3, 1e-1)},
        stages=(schema.Stage(2, 1.0, 1), schema.Stage(1, 1.0, 1)),
        folds=3,
    )
    check(made)
    seen: list[Member] = []

    def train(members: list[Member], directory: Path) -> Sequence[Any]:
        seen.extend(members)
        return train_members(members, directory, strategy="sequential", say=lambda _: None)

    first, last = run_search(made, tmp_path, train, lambda _: None)
    assert [member.config.data.validation_fold for member in seen] == [0, 1, 2] * 3
    assert [member.index for member in seen] == [*range(6), *range(3)]
    rates = [member.config.optim.learning_rate for member in seen]
    assert rates[0] == rates[1] == rates[2] != rates[3], "a trial has one choice of values"
    for trial in (*first.trials, *last.trials):
        assert len(trial.fold_errors) == 3
        assert trial.validation_error == pytest.approx(sum(trial.fold_errors) / 3)
    won = train(seen[6:], tmp_path / "stage-2")
    mean = sum(one.final["test_error"] for one in won) / 3
    assert last.test_of_best is not None and last.test_of_best["test_error"] == pytest.approx(mean)
    with pytest.raises(InputError, match="folds: 3 in the run directory, 2 now"):
        run_search(replace(made, folds=2), tmp_path, train, lambda _: None)
    with pytest.raises(InputError, match="search.folds = 4: .* allowed: 1 to 3"):
        check(replace(made, folds=4))


def test_a_damaged_record_is_written_again(tmp_path: Path) -> None:
    one = run_search(search(), tmp_path, Bowl(), lambda _: None)
    whole = json.loads((tmp_path / "search.json").read_text())
    for content in ("", '{"search"', "[]"):
        (tmp_path / "search.json").write_text(content)
        said: list[str] = []
        assert run_search(search(), tmp_path, Bowl(), said.append) == one
        assert "search.json is damaged" in said[0]
        assert json.loads((tmp_path / "search.json").read_text()) == whole


def test_a_damaged_record_does_not_give_the_directory_away(tmp_path: Path) -> None:
    values = {RATE: 0.1, DECAY: 0.1, ACTIVATION: "relu"}
    trials = [member_of(search(), search().stages[0], 0, values)]
    population_record.claim(tmp_path / "stage-1", trials, "auto", "sequential")
    (tmp_path / "search.json").write_text("")
    with pytest.raises(InputError, match="stage-1 holds other members; nothing was changed"):
        run_search(search(), tmp_path, Bowl(), lambda _: None)
    assert (tmp_path / "search.json").read_text() == ""


def test_a_loss_that_is_no_number_comes_last() -> None:
    trials = [Trial(i, {}, "done", 0.1, loss, 0.0) for i, loss in enumerate([None, 0.5, math.nan])]
    assert [t.index for t in Round(schema.Stage(3, 1.0, 1), {}, trials).ranked()] == [1, 0, 2]
