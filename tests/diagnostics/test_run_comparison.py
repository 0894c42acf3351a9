"""Runs of all kinds beside one another: errors with intervals, and what differs in the configs."""

import json
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.identity import to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.paired_runs import PREDICTIONS
from cnn_jax.diagnostics.run_comparison import compared, tables
from cnn_jax.evaluation.predictions import Predictions
from tests import configs
from tests.binaries import run as binary
from tests.storage.test_runs import make_run

RESULT = {"top1_error": 0.05, "n": 100, "step": 20}


def with_n(run: Path, n: int = 100) -> Path:
    log = run / "metrics.jsonl"
    lines = [json.loads(line) | {"n": n} for line in log.read_text().splitlines()]
    lines = [line | {"data_loss": 1.0, "loss": 1.0, "error": 0.5} for line in lines]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A run, the same with another rate, three seeds, an ablation and a search."""
    found = {"a": with_n(make_run(tmp_path / "a", {10: 0.3, 20: 0.2}, RESULT))}
    found["b"] = with_n(make_run(tmp_path / "b", {10: 0.3}))
    saved = json.loads((found["b"] / "config.json").read_text())
    saved["config"]["optim"]["learning_rate"] = 0.5
    saved["config"]["model"]["kwargs"]["layers"] = [7]
    (found["b"] / "config.json").write_text(json.dumps(saved))
    found["seeds"] = tmp_path / "seeds"
    for seed, error in enumerate((0.1, 0.2, 0.3)):
        result = RESULT | {"top1_error": error}
        with_n(make_run(found["seeds"] / f"seed-{seed}", {20: error}, result))
    base = to_tree(configs.quick())
    members = [
        {"factors": {"norm": norm}, "seed": seed, "state": state, "final": final}
        for norm, seed, state, final in (
            ("none", 0, "done", {"test_error": 0.1, "validation_error": 0.2}),
            ("none", 1, "done", {"test_error": 0.3, "validation_error": 0.2}),
            ("batch", 0, "diverged", {}),
            ("batch", 1, "done", {"test_error": 0.25, "validation_error": None}),
        )
    ]
    found["ablation"], found["search"] = tmp_path / "ablation", tmp_path / "search"
    for place in (found["ablation"], found["search"]):
        place.mkdir()
    (found["ablation"] / "plan.json").write_text(json.dumps({"ablation": {"base": base}}))
    ablation = {"base": base, "members": members}
    (found["ablation"] / "ablation.json").write_text(json.dumps(ablation))
    trials = [
        {"values": {"optim.learning_rate": rate}, "validation_error": error}
        for rate, error in ((0.7, None), (0.01, 0.4), (0.02, 0.15))
    ]
    stage = {"epochs": 2.0, "trials": 3, "kept": 1}
    search = {"search": {"base": base, "stages": [stage]}}
    search |= {"stages_run": [{"stage": stage, "trials": trials}]}  # type: ignore[dict-item]
    (found["search"] / "search.json").write_text(json.dumps(search))
    return found


def test_the_interval_of_a_run_is_wilsons(places: dict[str, Path]) -> None:
    """E. B. Wilson (1927): 5 of 100 leave 2.15 to 11.18 %."""
    (row,) = compared([places["a"]])
    assert str(row.errors["test"]) == "5.00 (2.15 to 11.18), n=100"
    assert row.errors["validation"].error == 0.2 and row.state.startswith("finished")


def test_every_kind_of_directory_has_its_rows(places: dict[str, Path]) -> None:
    rows = {row.name: row for row in compared(list(places.values()))}
    assert list(rows) == [
        "a",
        "b",
        "seeds",
        "ablation: norm = none",
        "ablation: norm = batch",
        "search: best trial of stage 1",
    ]
    assert "test" not in rows["b"].errors and rows["b"].state.startswith("interrupted")
    seeds = rows["seeds"].errors["test"]
    # Student's t with 2 degrees of freedom: 0.2 -+ 4.303 x 0.1 / sqrt(3)
    assert seeds.interval == pytest.approx((0.2 - 0.2484, 0.2 + 0.2484), abs=1e-4)
    assert seeds.of_what == "3 seeds" and rows["seeds"].state == "finished, 3/3 seeds"
    assert rows["ablation: norm = batch"].errors["test"].interval is None, "one seed leaves none"
    assert "1 diverged" in rows["ablation: norm = batch"].state
    best = rows["search: best trial of stage 1"]
    assert best.errors["validation"].error == 0.15 and best.config["train"]["epochs"] == 2.0


def test_what_differs_is_told_and_nothing_else(places: dict[str, Path]) -> None:
    _, apart = tables(compared([places["a"], places["b"]]))
    assert [row[0] for row in apart.rows] == ["model.kwargs.layers", "optim.learning_rate"]
    assert apart.rows[1][2] == "0.5" and apart.headers == ("key", "a", "b")
    errors, apart = tables(compared([places["a"], places["seeds"]]))
    assert apart.rows[0][0].startswith("none of the keys") and len(errors.notes) == 1
    notes = tables(compared([places["a"], places["b"]]))[0].notes
    assert notes[-1] == "Note: not at its end yet: b."


def test_what_cannot_be_compared(places: dict[str, Path], tmp_path: Path) -> None:
    (places["b"] / "config.json").write_text("{")
    for chosen, message in [
        ([places["a"], places["a"]], "given twice"),
        ([places["b"]], "is damaged"),
        ([tmp_path], "no run directory"),
    ]:
        with pytest.raises(InputError, match=message):
            compared(chosen)


def test_the_binary(places: dict[str, Path], tmp_path: Path) -> None:
    done = binary("compare", *(str(places[name]) for name in ("a", "b", "seeds")))
    assert done.returncode == 0 and "Where the configs differ" in done.stdout, done.stderr
    assert all((tmp_path / f"comparison.{kind}").is_file() for kind in ("md", "png", "pdf"))
    assert "runs are missing" in binary("compare").stderr


def test_two_runs_are_compared_example_by_example(places: dict[str, Path]) -> None:
    labels, p = np.zeros(10, np.int32), np.tile(np.float32([0.9, 0.1]), (10, 1))
    names, right = np.arange(10).astype(str), np.ones(10, bool)
    classes = np.array(["x", "y"])
    for name, wrong in (("a", [0]), ("b", [0, 1, 2, 3])):
        said = p.copy()
        said[wrong] = [0.2, 0.8]
        Predictions(said, labels, right, names, classes).save(places[name] / PREDICTIONS)
    done = binary("compare", str(places["a"]), str(places["b"]), str(places["seeds"]))
    page = (places["a"].parent / "comparison.md").read_text()
    assert "| a | b | 10 | 3 | 0 | +30.00 (" in page and "| 0.250 |" in page, done.stderr
    fewer = Predictions(p[:5], labels[:5], right[:5], names[:5], classes)
    fewer.save(places["b"] / PREDICTIONS)
    done = binary("compare", str(places["a"]), str(places["b"]))
    assert "Not compared: a and b; they differ in their names" in done.stdout
