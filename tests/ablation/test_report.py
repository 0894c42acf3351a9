"""The report of an ablation, from an `ablation.json` that is made up."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_jax.ablation.convergence import convergence, steps_to
from cnn_jax.ablation.curve_pictures import diverged_in_words
from cnn_jax.ablation.effect_pictures import points_of
from cnn_jax.ablation.report import write_report
from cnn_jax.ablation.statistics import cells_of
from cnn_jax.config.problems import InputError
from tests.ablation.members import ablation, curve, grid, member

PICTURES = {"curves.png", "curves.pdf", "effects.png", "effects.pdf"}
FILES = {"table.md", "table.csv", "table.tex", "statistics.json"} | PICTURES


def made_up() -> list[dict[str, Any]]:
    """Three schemes by two norms by four seeds; one cell diverged as a whole, one in part."""
    rng = np.random.default_rng(0)
    members = []
    for init, cost in (("gaussian(std=0.01)", 0.3), ("glorot", 0.1), ("he", 0.0)):
        for norm in ("none", "batch"):
            for seed in range(4):
                error = 0.05 + cost * (norm == "none") + 0.01 * seed + rng.normal(0, 0.002)
                gone = (init, norm) == ("he", "none") or (init, norm, seed) == ("he", "batch", 3)
                levels = {"init": init, "norm": norm}
                whole = curve(0.9, error)
                members.append(member(levels, seed, None if gone else round(error, 3), 0.01, whole))
    return members


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("ablation")
    (directory / "ablation.json").write_text(json.dumps(ablation(made_up())))
    return directory, write_report(directory)


def test_everything_is_written(reported: tuple[Path, str]) -> None:
    directory, text = reported
    assert {path.name for path in directory.iterdir()} == FILES | {"ablation.json"}
    for name in ("curves.png", "effects.png"):
        with Image.open(directory / name) as picture:
            assert picture.size[0] > 700 and len(np.unique(np.asarray(picture))) > 50
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 120


def test_the_table_of_cells(reported: tuple[Path, str]) -> None:
    page = (reported[0] / "table.md").read_text()
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| he ")]
    none, batch = ([text.strip() for text in row] for row in rows[:2])
    assert none == ["he", "none", "0/4", *["diverged"] * 4, "", ""]
    assert batch[2] == "3/4" and batch[3].startswith("**6.") and batch[5] == "1.00 ± 0.00"
    assert batch[4].startswith("6."), "test is never marked"
    assert "| gaussian(std=0.01) | none | 4/4 |" in page and "| baseline |" in page
    assert "Holm's correction for 4 comparisons" in page
    assert "paired t test" in page and "half the 95% interval" in page
    assert page.count("| init | norm = none | norm = batch |") == 2, "validation, and test"
    assert "(3/4)** |" in page, "a mean of a part of a cell says so in the pivot, too"
    assert page.index("Validation error, %, by") < page.index("Test error, %, by")
    assert "init x norm (no finished member: init = he, norm = none)" in page


def test_csv_is_percent_and_statistics_are_fractions(reported: tuple[Path, str]) -> None:
    directory, _ = reported
    with (directory / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = json.loads((directory / "statistics.json").read_text())
    assert len(rows) == 6 and found["baseline"] == {"init": "gaussian(std=0.01)", "norm": "none"}
    cell = found["metrics"]["test_error"]["cells"][3]
    assert cell["levels"] == {"init": "glorot", "norm": "batch"} and cell["summary"]["n"] == 4
    assert float(rows[3]["test_error_mean_percent"]) == pytest.approx(100 * cell["summary"]["mean"])
    assert float(rows[3]["test_loss_mean_nats"]) == pytest.approx(0.2)
    assert rows[4]["diverged"] == "4" and rows[4]["test_error_mean_percent"] == ""
    assert rows[0]["p"] == "" and 0 < float(rows[1]["p"]) <= float(rows[1]["p_corrected"]) < 0.01
    assert {effect["factors"][0] for effect in found["metrics"]["gap"]["effects"]["effects"]} == {
        "init",
        "norm",
    }


@pytest.mark.slow
def test_the_same_file_gives_the_same_report(reported: tuple[Path, str]) -> None:
    directory, text = reported
    before = {name: (directory / name).read_bytes() for name in FILES}
    assert write_report(directory) == text
    assert {name: (directory / name).read_bytes() for name in FILES} == before


def test_wilcoxon(reported: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "ablation.json").write_bytes((reported[0] / "ablation.json").read_bytes())
    assert "Wilcoxon's signed-rank test" in write_report(tmp_path, "wilcoxon")


@pytest.mark.parametrize(
    "members",
    [
        [member({"init": "a"}, 0, 0.1, curve=curve(0.9, 0.1))],
        [member({"init": "a"}, seed, None) for seed in range(3)],
        grid({("a", "x"): [None, 0.1], ("b", "x"): [0.1, None]}),
        [member({"a": "1", "b": "1", "c": "1", "d": label}, 0, 0.0) for label in "xy"],
    ],
    ids=["one member", "all diverged", "no pair and no curve", "four factors, one seed"],
)
def test_little_to_report(members: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "ablation.json").write_text(json.dumps(ablation(members)))
    text = write_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"ablation.json"}
    assert "±" not in text and "analysis of variance, seeds" not in text and "; p:" not in text
    if any(found["state"] == "done" for found in members):
        assert "One seed: no intervals" in text
    else:
        assert "diverged" in text


def test_the_best_is_the_best_on_validation_whatever_test_says(tmp_path: Path) -> None:
    members = [
        member({"rate": rate}, seed, test + seed / 1e3, validation_error=held_out * (1 + seed / 50))
        for rate, held_out, test in (("low", 0.10, 0.30), ("high", 0.20, 0.01), ("mid", 0.3, 0.2))
        for seed in range(5)
    ]
    (tmp_path / "ablation.json").write_text(json.dumps(ablation(members)))
    write_report(tmp_path)
    page = (tmp_path / "table.md").read_text()
    found = json.loads((tmp_path / "statistics.json").read_text())
    bold = [line for line in page.splitlines() if line.startswith("| ") and "**" in line]
    assert found["judge"] == "validation_error" and len(bold) == 1
    assert bold[0].startswith("| low | 5/5 | **10.40 ±"), bold
    assert page.index("Effects on the validation error") < page.index("Test error: difference")
    assert found["metrics"]["validation_error"]["differences"][0]["mean"] == pytest.approx(0.104)


def test_without_validation_test_stands_in_and_no_cell_is_the_best(tmp_path: Path) -> None:
    members = made_up()
    for one in members:
        for name in ("validation_error", "validation_loss"):
            one["final"].pop(name, None)
            one["curve"].pop(name, None)
    (tmp_path / "ablation.json").write_text(json.dumps(ablation(members)))
    text, page = write_report(tmp_path), (tmp_path / "table.md").read_text()
    assert "No validation split" in text and "test stands in for it" in text
    assert "**" not in page and "* best" not in text
    assert page.count("Effects on the test error") == 1


def test_what_diverged_is_told_in_the_pictures() -> None:
    (line,) = diverged_in_words([m for m in made_up() if m["factors"]["norm"] == "batch"], "init")
    assert line == "diverged: he 1 of 4"
    assert (
        diverged_in_words([m for m in made_up() if m["factors"]["init"] == "glorot"], "norm") == []
    )
    points = points_of(cells_of(made_up(), "validation_error"), "init")
    assert points["he"].diverged == 5 and points["he"].members == 8
    gone = points_of(cells_of([m for m in made_up() if m["state"] != "done"], "x"), "init")["he"]
    assert gone.mean is None and gone.diverged == gone.members == 5


def test_intervals_are_cut_where_no_error_can_be_and_one_seed_has_none() -> None:
    wide = cells_of(grid({("a", "x"): [0.0, 0.9], ("b", "x"): [0.5, 0.51]}), "test_error")
    points = points_of(wide, "init")
    assert points["a"].low == 0.0 and points["a"].high == 100.0
    assert points["b"].low == pytest.approx(50.5 - 50 * 0.01 * 12.706, abs=0.01)
    one = points_of(cells_of(grid({("a", "x"): [0.25]}), "test_error"), "init")["a"]
    assert one.low == one.mean == one.high == 25.0


def test_no_file_or_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        write_report(tmp_path)
    (tmp_path / "ablation.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        write_report(tmp_path)


def test_steps_to_an_error() -> None:
    falling = {"validation_step": [10, 20, 30, 40], "validation_error": [0.5, 0.2, 0.3, 0.1]}
    assert steps_to(falling, 0.2) == 20 and steps_to(falling, 0.25) == 20
    assert steps_to(falling, 0.1 - 1e-17) == 40 and steps_to(falling, 0.05) is None
    assert steps_to({}, 0.5) is None
    assert steps_to({"validation_step": [10, 20], "validation_error": [None, 0.1]}, 0.2) == 20


def test_convergence_is_held_against_the_baseline_of_the_same_seed() -> None:
    def run(level: str, seed: int, errors: list[float], end: float | None) -> dict[str, Any]:
        steps = [10 * (i + 1) for i in range(len(errors))]
        line = {"validation_step": steps, "validation_error": errors}
        return member({"norm": level}, seed, end, curve=line)

    members = [
        run("none", 0, [0.5, 0.4, 0.3], 0.3),
        run("none", 1, [0.5, 0.2, 0.1], 0.1),
        run("none", 2, [0.5], None),  # no target: its seed is left out
        run("batch", 0, [0.3, 0.3, 0.3], 0.3),
        run("batch", 1, [0.3, 0.3, 0.3], 0.3),
        run("batch", 2, [0.3, 0.3, 0.3], 0.3),
    ]
    none, batch = convergence(members, {"norm": "none"})
    assert none.steps == (30, 30) and none.members == 2 and none.median == 30
    assert batch.steps == (10,) and batch.members == 2 and batch.median is None
    assert convergence(members, {"norm": "else"}) == []
