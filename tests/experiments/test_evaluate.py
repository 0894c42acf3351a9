"""`experiments.evaluate` with protocols, ensembles and saved predictions, as a user runs it."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.run_directory import read_json
from cnn_jax.training.run import prepare
from tests import configs
from tests.binaries import run

evaluate = partial(run, "evaluate")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks on the same data."""
    directories = []
    for seed in (0, 1):
        directory = tmp_path_factory.mktemp(f"run{seed}")
        run = prepare(configs.quick({"seed.init": seed}))
        checkpoints = Checkpoints(directory)
        checkpoints.save(3, run.initial_state(), run.checkpoint_record(), None)
        checkpoints.close()
        directories.append(directory)
    return directories


def test_an_ensemble_needs_no_second_pass(runs: list[Path], tmp_path: Path) -> None:
    saved = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for directory, file in zip(runs, saved, strict=True):
        words = (f"--workdir={directory}", "--protocol=centre", f"--save_predictions={file}")
        done = evaluate(*words)
        assert done.returncode == 0 and "n=17/17" in done.stdout, done.stderr
    together = [f"--workdir={directory}" for directory in runs]
    live, later = tmp_path / "live.json", tmp_path / "later.json"
    done = run(
        "evaluate", *together, f"--output={live}", f"--save_predictions={tmp_path / 'both.npz'}"
    )
    assert done.returncode == 0, done.stderr
    assert "ensemble of 2: top-1 error" in done.stdout and done.stdout.count("n=17/17") == 3
    done = evaluate(*(f"--predictions={file}" for file in saved), f"--output={later}")
    assert done.returncode == 0, done.stderr
    first, second = read_json(live), read_json(later)
    assert first["n"] == 17 and first["loss"] == second["loss"]
    assert first["classes"] == second["classes"] and len(first["members"]) == 2
    arrays = [np.load(file)["probabilities"].astype(np.float64) for file in saved]
    both = np.load(tmp_path / "both.npz")
    np.testing.assert_allclose(both["probabilities"], np.mean(arrays, axis=0), atol=1e-7)
    wrong = (both["probabilities"].argmax(1) != both["labels"]).mean()
    assert first["top1_error"] == wrong
    (tmp_path / "list.txt").write_text("example 3\nexample 5\n")
    words = [f"--predictions={saved[0]}", f"--exclude={tmp_path / 'list.txt'}"]
    done = evaluate(*words, f"--output={later}")
    assert "n=15/17, 2 excluded by list.txt" in done.stdout, done.stderr
    assert read_json(later)["excluded"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--protocol=10_crops",), "did you mean '10_crop'?"),
        (("--protocol=10_crop", "--set=shorter_side=4"), "at least the 10 pixels"),
        (("--predictions=a.npz",), "--predictions stand in place of --workdir"),
    ],
)
def test_bad_words_are_named(arguments: tuple[str, ...], message: str, runs: list[Path]) -> None:
    done = evaluate(f"--workdir={runs[0]}", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
