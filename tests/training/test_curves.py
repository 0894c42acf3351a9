"""Learning curves and what is said of validation, from logs that are made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.training import progress
from cnn_jax.training.curves import TRAIN, draw_curves
from cnn_jax.training.judged import NO_VALIDATION, judged, validation_in_words
from cnn_jax.training.overlaid_curves import draw, names_of
from cnn_jax.training.picture import new_picture, save
from cnn_jax.training.progress import ProgressReport


def log(steps: int, validation: bool = True) -> list[dict[str, Any]]:
    """A log in which everything falls, but a train error above that of validation and test."""
    lines: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        at = {"step": step, "epoch": step / 10}
        lines.append({"kind": "train", **at, "data_loss": 2 / step, "error": 0.9 - 0.3 / step})
    rows = [("validation", step, 0.5 - 0.001 * step) for step in range(10, steps + 1, 10)]
    for kind, step, error in [*(rows if validation else []), ("test", steps, 0.4)]:
        errors = {"loss": 1.0, "top1_error": error, "top5_error": error / 2, "n": 50}
        lines.append({"kind": kind, "step": step, "epoch": step / 10, **errors})
    return lines


def blue(path: Path) -> int:
    """How many pixels have about the colour of train, undiluted."""
    rgb = np.asarray(Image.open(path).convert("RGB")).astype(int)
    wanted = np.array([int(TRAIN[i : i + 2], 16) for i in (1, 3, 5)])
    return int((abs(rgb - wanted).max(axis=-1) < 12).sum())


@pytest.mark.parametrize("steps", [1, 30])
def test_the_line_of_train_is_seen_at_any_length(steps: int, tmp_path: Path) -> None:
    draw_curves(log(steps), "a run", tmp_path / "curves.png", "0123456789ab")
    without = [line for line in log(steps) if line["kind"] != "train"]
    draw_curves(without, "a run", tmp_path / "without.png", "0123456789ab")
    assert blue(tmp_path / "without.png") == 0 and blue(tmp_path / "curves.png") > 20
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_losses_that_are_no_numbers_are_passed_over(tmp_path: Path) -> None:
    lines = [line | {"loss": float("nan")} for line in log(30)]
    draw_curves(lines, "a run", tmp_path / "curves.png")


def test_validation_is_told_and_the_first_of_the_lowest_is_the_best() -> None:
    lines = log(30)
    lines[-2]["top1_error"] = lines[-3]["top1_error"]  # the last is as good as the one before
    found = judged(lines)
    assert found["validation"]["step"] == 30 and found["best_validation"]["step"] == 20
    text = validation_in_words(found)
    assert "top-1 error 48.00 %" in text and "n=50/50; lowest 48.00 % at epoch 2\n" in text


def test_without_validation_it_is_said_plainly() -> None:
    found = judged(log(30, validation=False))
    assert found == {"validation": None, "best_validation": None}
    assert NO_VALIDATION in validation_in_words(found) and "validation_folds" in NO_VALIDATION
    assert validation_in_words({"top1_error": 0.1}) == "", "of an earlier version"


@pytest.mark.parametrize(
    ("error", "told"), [(0.25, "  validation 25.00 %  100 images/s"), (None, "")]
)
def test_lines_of_progress_have_the_last_validation_error(
    error: float | None, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    report = ProgressReport(20, 0, bar=False)
    report.update(10, 1.0, 2.0, 0.5, 100.0, 1.0, error)
    line = capsys.readouterr().out
    assert "error 50.00 %" in line and told in line and ("validation" in line) == bool(told)


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a"])
def test_a_picture_is_two_files_whichever_is_named(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / name, tmp_path / "b.2"):
        save(new_picture(2, 2, "empty"), path)
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "a.pdf", "b.2.png", "b.2.pdf"}


def test_runs_are_laid_over_one_another(tmp_path: Path) -> None:
    runs = [tmp_path / one / "run" for one in "abc"]
    for run, lines in zip(runs, (log(200), log(9, validation=False), log(1)), strict=True):
        run.mkdir(parents=True)
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw(runs, tmp_path / "all.png")
    assert (tmp_path / "all.pdf").exists() and blue(tmp_path / "all.png") > 100
    with pytest.raises(InputError, match="nothing is logged there"):
        draw([*runs, tmp_path], tmp_path / "more.png")
    assert not (tmp_path / "more.png").exists()


def test_runs_have_the_shortest_names_that_tell_them_apart() -> None:
    assert names_of([Path("/r/a"), Path("/r/b")]) == ["a", "b"]
    assert names_of([Path("/a/run"), Path("/b/run")]) == ["a/run", "b/run"]
    assert names_of([Path("/r/a"), Path("/r/a")]) == ["a", "a"]
