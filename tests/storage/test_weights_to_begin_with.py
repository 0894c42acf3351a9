"""Fine-tuning: a run on other classes begins with a state dict from elsewhere."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.storage.run_directory import read_json
from cnn_jax.storage.warm_start import warm_start
from cnn_jax.training.run import Run, prepare
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import convert
from tests import configs
from tests.binaries import run
from tests.data import files
from tests.transfer.test_torch_weights import state_dict_for

ALEXNET: dict[str, Any] = {"variant": "torchvision", "width": 0.03125}
SIZE = (67, 67, 3)


def saved(file: Path, name: str, kwargs: dict[str, Any], size: Any = SIZE) -> StateDict:
    """Writes the state dict of a network of 1000 classes; no variance is below 0."""
    state = state_dict_for(models.build(name, num_classes=1000, **kwargs), size)
    state = {n: np.abs(a) if n.endswith("running_var") else a for n, a in state.items()}
    np.savez(file, **state)
    return state


def run_of(file: Path, overrides: dict[str, Any] | None = None) -> Run:
    """A run of a network of five classes that begins with a file."""
    data = {"train": 60, "test": 17, "size": SIZE[0], "channels": 3, "classes": 5}
    keys = {"data.kwargs": data, "model.name": "alexnet", "model.kwargs": ALEXNET}
    keys |= {"init_from.weights": str(file)} | (overrides or {})
    return prepare(configs.make(keys))


def begun(run: Run, directory: Path) -> Any:
    return warm_start(run.config.init_from, directory, run.state_shapes, run.open_weights)


def test_all_but_the_last_layer_is_taken(tmp_path: Path) -> None:
    state = saved(tmp_path / "alexnet.npz", "alexnet", ALEXNET)
    run = run_of(tmp_path / "alexnet.npz")
    start = begun(run, tmp_path / "run")
    assert set(start.drawn) == {"params/fc8/kernel", "params/fc8/bias"}
    assert "fc8/kernel is 128x1000 in the source, 128x5 here" in start.describe()
    assert "alexnet.npz is torchvision's alexnet by its names" in start.describe()
    assert "--config.data.normalisation=imagenet" in start.describe(), "synthetic: standardise"
    drawn = run.initial_state()
    applied = start.applied(drawn)
    whole = models.build("alexnet", num_classes=1000, **ALEXNET)
    for layer, leaves in convert(state, whole, SIZE)["params"].items():
        source = drawn.params[layer] if layer == "fc8" else leaves
        jax.tree.map(np.testing.assert_array_equal, applied.params[layer], source)


def test_layers_are_asked_for_by_the_names_here(tmp_path: Path) -> None:
    saved(tmp_path / "alexnet.npz", "alexnet", ALEXNET)
    start = begun(run_of(tmp_path / "alexnet.npz", {"init_from.layers": "conv1"}), tmp_path)
    assert set(start.taken) == {"params/conv1/kernel", "params/conv1/bias"}
    with pytest.raises(InputError, match=r"params/fc8/kernel is 128x1000 in the source, 128x5"):
        begun(run_of(tmp_path / "alexnet.npz", {"init_from.layers": "fc8"}), tmp_path)


def test_a_network_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "alexnet.npz", "alexnet", ALEXNET)
    other = {"model.kwargs": ALEXNET | {"variant": "caffe"}}
    with pytest.raises(InputError, match=r"^config\.init_from\.weights = .*variant = 'caffe'"):
        begun(run_of(tmp_path / "alexnet.npz", other), tmp_path)


@pytest.mark.slow
def test_fine_tuning_on_a_folder(tmp_path: Path) -> None:
    """A ResNet of 1000 classes, by the config file for torchvision's, on photographs of others."""
    kwargs = {"depth": 18, "variant": "v1.5", "width": 0.0625}
    saved(tmp_path / "weights.npz", "resnet", kwargs, (64, 64, 3))
    photographs = files.folder(tmp_path / "photographs", each=5, test_each=2)
    words = {
        "model.kwargs.width": 0.0625,
        "data.source": "folder",
        "data.directory": photographs,
        "init_from.weights": tmp_path / "weights.npz",
        "train.batch_size": 8,
        "train.batch_norm_scope": "global",
        "train.epochs": 1,
        "optim.learning_rate": 0.001,
        "evaluation.batch_size": 8,
        "train_crop.kwargs.size": 64,
        "test_crop.kwargs.size": 64,
        "test_crop.kwargs.shorter_side": 64,
        "guard.explosion_factor": 0,
        "log.tensorboard": False,
    }
    done = run(
        "train",
        "--config=configs/imagenet/resnet.py:18_v1.5",
        f"--workdir={tmp_path}/run",
        *(f"--config.{key}={value}" for key, value in words.items()),
    )
    assert done.returncode == 0, done.stderr
    assert "logits/kernel is 32x1000 in the source, 32x3 here" in done.stdout
    began = read_json(tmp_path / "run" / "warm_start.json")
    assert began is not None
    assert set(began["drawn afresh"]) == {"params/logits/kernel", "params/logits/bias"}
    assert len(began["taken"]) == 20 * 5 and not began["left over in the source"][2:]
