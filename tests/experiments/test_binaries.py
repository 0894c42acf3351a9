"""The binaries as a user runs them, one after the other on one run directory.

Those that train, evaluate and predict are processes; what else is asked of them is asked here.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.data.digits import digits
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_directory import read_json
from tests.binaries import run

CONFIG = ("--config=configs/digits/linear.py", "--config.train.epochs=4")
# TensorFlow cannot be imported in these processes: a line that tries fails the test.
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None; import runpy; " + (
    "name = sys.argv[1]; sys.argv = sys.argv[1:]; runpy.run_module(name, run_name='__main__')"
)


def process(root: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", NO_TENSORFLOW, f"experiments.{name}", *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("runs") / "digits-linear"
    root = Path(__file__).parent.parent.parent
    done = process(root, "train", *CONFIG, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "n=899/899" in done.stdout and str(workdir) in done.stdout
    assert "\x1b" not in done.stdout, "plain lines when piped"
    return workdir


def test_train_leaves_everything(trained: Path) -> None:
    result = read_json(trained / "result.json")
    assert {
        "top1_error",
        "top5_error",
        "n",
        "step",
        "epoch",
        "seconds",
        "first_step_seconds",
        "images_per_second",
        "parameters",
        "config_hash",
    } <= result.keys()
    assert result["n"] == 899 and result["parameters"] == 10_250
    assert result["top1_error"] < 0.15
    with Image.open(trained / "curves.png") as picture:
        assert picture.size[0] > 800 and len(np.unique(np.asarray(picture))) > 50
    assert any((trained / "tensorboard").iterdir())
    kinds = [line["kind"] for line in read_metrics(trained / "metrics.jsonl")]
    assert kinds.count("validation") == 4 and kinds.count("test") == 1 and kinds[0] == "train"
    assert read_json(trained / "config.json")["config_hash"] == result["config_hash"]


def test_train_again_trains_nothing(trained: Path) -> None:
    done = run("train", *CONFIG, f"--workdir={trained}")
    assert done.returncode == 0 and "finished before; nothing was trained" in done.stdout


def test_train_with_another_config_is_refused(trained: Path) -> None:
    done = run("train", *CONFIG, f"--workdir={trained}", "--config.optim.learning_rate=0.5")
    assert done.returncode == 2
    assert "optim.learning_rate: 0.01 in the run directory, 0.5 now" in done.stderr


def test_evaluate_agrees_with_the_run(trained: Path, root: Path, tmp_path: Path) -> None:
    output = tmp_path / "evaluation.json"
    done = process(
        root, "evaluate", f"--workdir={trained}", "--batch_size=13", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    assert "n=899/899" in done.stdout
    result, found = read_json(trained / "result.json"), read_json(output)
    assert all(found[key] == result[key] for key in ("top1_error", "top5_error", "n", "step"))


def test_evaluate_other_splits_and_checkpoints(trained: Path) -> None:
    done = run("evaluate", f"--workdir={trained}", "--split=validation", "--checkpoint=best")
    assert done.returncode == 0 and "n=99/99" in done.stdout, done.stderr
    done = run("evaluate", f"--workdir={trained}", "--checkpoint=3")
    assert done.returncode == 2 and "allowed: latest, best" in done.stderr
    done = run("evaluate", f"--workdir={trained.parent / 'nowhere'}")
    assert done.returncode == 2 and "holds no checkpoints" in done.stderr


def test_predict_goes_on_after_a_bad_file(trained: Path, root: Path, tmp_path: Path) -> None:
    test = digits().test
    for i in (0, 5, 9):
        Image.fromarray(test.images[i, :, :, 0]).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_text("this is text")
    done = process(root, "predict", f"--workdir={trained}", str(tmp_path), "--json")
    assert done.returncode == 2
    assert "bad.png cannot be read: not an image" in done.stderr and "1 of 4 files" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["0.png", "5.png", "9.png"]
    for line in lines:
        probabilities = [guess["probability"] for guess in line["top"]]
        assert len(line["top"]) == 5 and probabilities == sorted(probabilities, reverse=True)
    right = sum(
        line["top"][0]["class"] == str(test.labels[i])
        for line, i in zip(lines, (0, 5, 9), strict=True)
    )
    assert right >= 2
    done = run("predict", f"--workdir={trained}", str(tmp_path / "0.png"))
    assert done.returncode == 0 and " %  " in done.stdout


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_sigterm_saves_and_the_same_command_continues(root: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "experiments.train",
        "--config=configs/digits/linear.py",
        "--config.train.epochs=4000",
        f"--workdir={tmp_path}",
    ]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    metrics, deadline = tmp_path / "metrics.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size > 0):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, said = process.communicate(timeout=40)
    assert process.returncode == 75, said
    assert time.monotonic() - began < 30
    assert b"SIGTERM: saving a checkpoint" in said and b"run the same command again" in out
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    opening = b"".join(process.stdout.readline() for _ in range(4))
    assert b"resuming at step" in opening
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 75


def test_seeds_ends_in_a_sentence_where_the_guard_stops_one(tmp_path: Path) -> None:
    rate = "--config.optim.learning_rate=1e30"
    done = run("seeds", *CONFIG, rate, "--seeds=2", f"--workdir={tmp_path}")
    assert done.returncode == 3 and done.stderr.lstrip().startswith("seed 0: "), done.stderr


def test_seeds_reports_the_median(tmp_path: Path) -> None:
    arguments = [*CONFIG, "--config.train.epochs=1", "--seeds=2", f"--workdir={tmp_path}"]
    done = run("seeds", *arguments, "--ensemble")
    assert done.returncode == 0, done.stderr
    assert (
        "error on test: median" in done.stdout
        and "accuracy" not in done.stdout
        and "2 seeds" in done.stdout
    )
    members = read_json(tmp_path / "seeds.json")
    assert [member["seed"] for member in members] == [0, 1]
    assert members[0]["config_hash"] != members[1]["config_hash"]
    rows = [
        line.strip("| ").split(" | ") for line in (tmp_path / "table.md").read_text().split("\n")
    ]
    assert "error on validation: median" in done.stdout
    (columns,) = (row for row in rows if row[0] == "seed")
    assert columns[1:3] == ["top-1 error on validation, %", "top-1 error on test, %"]
    assert [row[1] for row in rows if row[0] in ("0", "1")] == [
        f"{100 * member['validation']['top1_error']:.2f}" for member in members
    ]
    beside = {row[0]: row[1:] for row in rows if len(row) == 5}
    assert beside["ensemble of 2"][-1] == "899/899"
    for member in members:
        assert beside[f"seed-{member['seed']}"][0] == f"{100 * member['top1_error']:.2f}"
