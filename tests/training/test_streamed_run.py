"""Runs over images that are read as they are needed: the same run, whoever reads them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.exclusion import read_exclusion
from cnn_jax.evaluation.predictions import load_predictions
from cnn_jax.inference.multi_view import predict_split
from cnn_jax.inference.reports import report_members
from cnn_jax.inference.restored import restore
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_directory import read_json
from cnn_jax.training import session
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from tests import configs
from tests.binaries import run
from tests.data import files
from tests.devices import test_distributed
from tests.slow_but import slow_but
from tests.training import test_resume

STEPS = 20


def overrides(directory: Path) -> dict[str, Any]:
    """20 steps of 8 over the 24 training images that five folds leave of 30."""
    return {
        "data.source": "folder",
        "data.directory": str(directory),
        "data.kwargs": {},
        "data.validation_folds": 5,
        "train_crop.name": "random_resized",
        "train_crop.kwargs": {"size": 16},
        "test_crop.name": "shorter_side",
        "test_crop.kwargs": {"size": 16, "shorter_side": 18},
        "model.name": "mlp",
        "model.kwargs": {"layers": (12,), "norm": "batch", "dropout_rate": 0.3},
        "train.epochs": 20 * 8 / 24,
        "data.workers": 2,
        "data.resident_megabytes": 0.0,
        "data.normalisation": "unit",
    }


def train(directory: Path, workdir: Path, **changes: Any) -> dict[str, Any]:
    with Preemption() as preemption:
        config = configs.make(overrides(directory) | changes)
        return session.train(config, workdir, preemption, time.time()).result


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.folder(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture(scope="module")
def whole(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("whole")
    assert train(photographs, workdir)["n"] == 15
    return workdir


@pytest.mark.xdist_group("streamed")  # one whole run serves them both
@pytest.mark.parametrize(("before", "after"), slow_but([(0, 2)], [(0, 2), (2, 0)]))
def test_stopped_and_resumed_with_other_workers(
    before: int, after: int, photographs: Path, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patch:
        test_resume.interrupted_at(patch, "_make_steps", lambda training: training.step >= 9)
        with pytest.raises(PreemptionRequested):
            train(photographs, tmp_path, **{"data.workers": before})
    stopped_at = Checkpoints(tmp_path, read_only=True).latest
    assert stopped_at is not None and 9 <= stopped_at < STEPS
    train(photographs, tmp_path, **{"data.workers": after})
    assert_same(whole, tmp_path)


def assert_same(one: Path, other: Path) -> None:
    """The same log and the same state at the end, bit for bit."""
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()
    trees = []
    for workdir in (one, other):
        checkpoints = Checkpoints(workdir, read_only=True)
        trees.append(jax.tree.leaves(checkpoints.read_arrays(STEPS)[0]))
        checkpoints.close()
    for a, b in zip(*trees, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def with_a_bad_image(tmp_path: Path) -> Path:
    directory = files.folder(tmp_path / "photographs")
    bad = files.unreadable_files()
    (directory / "train" / "kind_1" / "1004.jpg").write_bytes(bad["truncated"])
    (directory / "val" / "kind_2" / "2501.jpg").write_bytes(bad["text"])
    return directory


def test_an_unreadable_image_ends_the_run_with_what_was_reached(
    with_a_bad_image: Path, tmp_path: Path
) -> None:
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=r"train/kind_1/1004.jpg cannot be read: .*truncated"):
        train(with_a_bad_image, workdir)
    made = [x for x in read_metrics(workdir / "metrics.jsonl") if x["kind"] == "train"]
    assert Checkpoints(workdir, read_only=True).latest == len(made)
    (with_a_bad_image / "train" / "kind_1" / "1004.jpg").unlink()
    with pytest.raises(InputError, match="train had 24 examples, now 23(.|\n)*--workdir"):
        train(with_a_bad_image, workdir)


def test_unreadable_images_are_counted_and_listed(with_a_bad_image: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    with pytest.raises(InputError):
        train(with_a_bad_image, workdir)
    result = train(with_a_bad_image, workdir, **{"data.unreadable": "skip"})
    assert (result["n"], result["examples"]) == (14, 15)
    assert result["unreadable"] == ["val/kind_2/2501.jpg"]
    assert list(result["unreadable_images"]) == ["train/kind_1/1004.jpg", "val/kind_2/2501.jpg"]
    assert read_json(workdir / "result.json") == result
    assert read_metrics(workdir / "metrics.jsonl")[-1]["n"] == 14
    done = run("evaluate", f"--workdir={workdir}", "--split=test")
    assert "n=14/15, 1 unreadable: val/kind_2/2501.jpg" in done.stdout, done.stderr


@pytest.mark.slow
def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    """From the folder to every file of the run and every line: no crash, and no name is lost."""
    odd = os.fsdecode(b"\xff\xe9")
    directory = files.folder(tmp_path / odd, classes=2, each=6, test_each=3)
    for part in ("train", "val"):
        (directory / part / "kind_1").rename(directory / part / odd)
    (directory / "val" / odd / f"{odd}.jpg").write_bytes(b"no image")
    workdir = tmp_path / "run"
    keys = {"train.epochs": 2.0, "data.unreadable": "skip", "log.tensorboard": True}
    with pytest.raises(InputError, match=r"--workdir=.*\\udcff.*its path is no UTF-8"):
        train(directory, tmp_path / f"run{odd}", **keys)
    assert not (tmp_path / f"run{odd}").exists()
    result = train(directory, workdir, **keys)
    assert result["unreadable"] == [f"val/{odd}/{odd}.jpg"]
    assert read_json(workdir / "result.json") == result
    assert read_metrics(workdir / "metrics.jsonl")[-1]["unreadable"] == result["unreadable"]
    assert repr(odd)[1:-1] in (workdir / "card.md").read_text(encoding="utf-8")
    out = run("evaluate", f"--workdir={workdir}", "--split=test").stdout
    assert f"n=6/7, 1 unreadable: val/{repr(odd)[1:-1]}" in out
    predicted = predict_split(restore(workdir), "test", "centre", {}, 4)
    predicted.save(tmp_path / "saved.npz")
    saved = load_predictions(tmp_path / "saved.npz")
    assert str(saved.class_names[1]) == odd and str(saved.names[-1]) == f"val/{odd}/{odd}.jpg"
    report_members({odd: saved})
    (tmp_path / "excluded.txt").write_bytes(os.fsencode(str(saved.names[3])) + b"\n")
    assert read_exclusion(tmp_path / "excluded.txt").mask(saved.names).tolist() == [
        i == 3 for i in range(7)
    ]


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many files as before, of the same classes, and one has another size, label or name."""
    directory = files.folder(tmp_path / "photographs", classes=2, each=6, test_each=3)
    keys = {"train.epochs": 4.0}
    with monkeypatch.context() as patch:
        test_resume.interrupted_at(patch, "_make_steps", lambda training: training.step >= 2)
        with pytest.raises(PreemptionRequested):
            train(directory, tmp_path / "run", **keys)
    one, other = (directory / "train" / f"kind_{i}" / f"{1000 * i + 3}.jpg" for i in (0, 1))
    kept = tmp_path / "kept"
    for change in (
        lambda: one.write_bytes(other.read_bytes()),
        lambda: (one.write_bytes(other.read_bytes()), other.write_bytes(kept.read_bytes())),
        lambda: one.rename(one.with_name("3a.jpg")),
    ):
        contents = {path: path.read_bytes() for path in (one, other)}
        kept.write_bytes(contents[one])
        change()
        with pytest.raises(InputError, match="the fingerprint was .*(.|\n)*another --workdir"):
            train(directory, tmp_path / "run", **keys)
        one.with_name("3a.jpg").unlink(missing_ok=True)
        for path, content in contents.items():
            path.write_bytes(content)
    assert train(directory, tmp_path / "run", **keys)["n"] == 6


def alexnet(directory: Path) -> dict[str, Any]:
    """The same 20 steps of a narrow AlexNet, with a checkpoint every 8 steps."""
    return overrides(directory) | {
        "model.name": "alexnet",
        "model.kwargs": {"width": 0.05},
        "train_crop.kwargs": {"size": 227},
        "test_crop.kwargs": {"size": 227, "shorter_side": 240},
        "checkpoint.every_epochs": 8 * 8 / 24,
    }


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_alexnet_killed_hard_is_bit_equal(photographs: Path, tmp_path: Path) -> None:
    """20 steps with 2 workers, against 11 with none, kill -9, and the rest with 2."""

    def run(name: str, kill_at: int, workers: int) -> int:
        words = [sys.executable, "-m", "tests.training.killed_run", str(tmp_path / name)]
        words += [str(kill_at), json.dumps(alexnet(photographs) | {"data.workers": workers})]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    assert run("whole", 0, 2) == 0
    assert run("broken", 11, 0) == -signal.SIGKILL
    assert Checkpoints(tmp_path / "broken", read_only=True).latest == 8
    assert run("broken", 0, 2) == 0
    assert_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_alexnet_on_two_processes_killed_hard_is_bit_equal(
    photographs: Path, root: Path, tmp_path: Path
) -> None:
    """The same on two processes of two devices each, both of which are killed."""

    def run(name: str, kill_at: int, workers: int) -> subprocess.CompletedProcess[str]:
        keys = alexnet(photographs) | {"data.workers": workers, "precision.compute": "float32"}
        words = test_distributed.command(tmp_path, tmp_path / name, 2, **keys)
        words[words.index("--devices_per_process=4")] = "--devices_per_process=2"
        if kill_at:
            at = words.index("experiments.train")
            words[at : at + 1] = ["tests.training.killed_train", str(kill_at)]
        return test_distributed.run(root, words)

    whole = run("whole", 0, 2)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    killed = run("broken", 11, 0)
    assert killed.returncode == 1 and "was lost: killed by SIGKILL" in killed.stderr
    assert Checkpoints(tmp_path / "broken", read_only=True).latest == 8
    resumed = run("broken", 0, 2)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "resuming at step 8" in resumed.stdout
    assert_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
@pytest.mark.xdist_group("time")
@pytest.mark.parametrize("mode", ["jit", "pmap"])
def test_two_processes_are_one_run(
    mode: str, photographs: Path, root: Path, tmp_path: Path
) -> None:
    losses = []
    for processes in (1, 2):
        workdir = tmp_path / f"run{processes}"
        words = test_distributed.command(
            tmp_path, workdir, processes, **(overrides(photographs) | {"parallel.mode": mode})
        )
        done = test_distributed.run(root, words)
        assert done.returncode == 0, done.stdout + done.stderr
        losses.append(test_distributed.losses(workdir))
        assert read_json(workdir / "result.json")["n"] == 15
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)
    assert len(losses[0]) == STEPS
