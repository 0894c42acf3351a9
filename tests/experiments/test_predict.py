"""`experiments.predict` sees a file as `experiments.evaluate` sees it."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.inference.multi_view import predict_split
from cnn_jax.inference.restored import restore
from cnn_jax.inference.trained_network import WeightsUse, trained_network
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from tests import configs
from tests.binaries import run
from tests.data import files

CROPPED = {
    "data.source": "folder",
    "data.kwargs": {},
    "train_crop.name": "random_resized",
    "train_crop.kwargs": {"size": 10},
    "test_crop.name": "shorter_side",
    "test_crop.kwargs": {"size": 10, "shorter_side": 15},
    "optim.averaging": "ema",
}


def predicted(*words: str) -> dict[str, dict[str, float]]:
    done = run("predict", "--json", "--top=3", *words)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        Path(line["file"]).name: {one["class"]: one["probability"] for one in line["top"]}
        for line in lines
    }


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return files.folder(tmp_path / "photographs", each=5, test_each=2)


@pytest.fixture
def workdir(photographs: Path, tmp_path: Path) -> Path:
    """A checkpoint whose averages are half its parameters."""
    run = prepare(configs.quick(CROPPED | {"data.directory": str(photographs)}))
    state = run.initial_state()
    halves = jax.tree.map(lambda leaf: leaf / 2, state.averaged_params)
    checkpoints = Checkpoints(tmp_path / "run")
    checkpoints.save(7, state.replace(averaged_params=halves), run.checkpoint_record(), None)
    checkpoints.close()
    return tmp_path / "run"


def test_predictions_are_those_of_an_evaluation(
    root: Path, photographs: Path, workdir: Path
) -> None:
    for averaged in (False, True):
        words = (f"--workdir={workdir}", f"--averaged={averaged}", str(photographs / "val"))
        found = predicted(*words)
        expected = predict_split(restore(workdir), "test", "centre", {}, 4, averaged=averaged)
        names = [Path(name).name for name in expected.names]
        assert sorted(found) == sorted(names) and len(names) == 6
        for name, row in zip(names, expected.probabilities, strict=True):
            there = [found[name][kind] for kind in expected.class_names]
            np.testing.assert_allclose(there, row, rtol=1e-4)


def test_an_evaluation_finds_data_that_was_moved(photographs: Path, workdir: Path) -> None:
    """And refuses other data there, unless forced."""
    before = predict_split(restore(workdir), "test", "centre", {}, 4)
    moved = photographs.rename(photographs.with_name("elsewhere"))
    with pytest.raises(InputError, match="no such folder"):
        predict_split(restore(workdir), "test", "centre", {}, 4)
    there = trained_network(workdir, "latest", None, None, WeightsUse(data_directory=str(moved)))
    after = predict_split(there, "test", "centre", {}, 4)
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    for part in ("train", "val"):
        (moved / part / "kind_1").rename(moved / part / "kind_9")
    with pytest.raises(InputError, match=r"'kind_1' was 1, now 'kind_2'; --force"):
        predict_split(there, "test", "centre", {}, 4)
    assert predict_split(there, "test", "centre", {}, 4, force=True).evaluation().n == 6
