"""A run as a state dict of PyTorch, and as a run again."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from cnn_jax.inference.restored import restore
from cnn_jax.inference.torch_export import export_weights
from cnn_jax.inference.trained_network import with_weights
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import Run, prepare
from tests import configs
from tests.parity import same_weights
from tests.parity.cifar_networks import InLayers

BLOCKS, CLASSES, SIZE = (1, 1, 1), 4, 16


def config_of(name: str = "cifar_resnet", **kwargs: Any) -> Any:
    return configs.make(
        {"model.name": name, "model.kwargs": kwargs, "data.kwargs.channels": 3}
        | {"data.kwargs.size": SIZE}
    )


def write(directory: Path, config: Any, seed: int = 0) -> Run:
    """Writes a checkpoint of step 7, with weights and statistics that are nothing special."""
    run, rng = prepare(config), np.random.default_rng(seed)
    state = run.initial_state()
    drawn = jax.tree.map(
        lambda leaf: np.asarray(rng.uniform(0.5, 1.5, leaf.shape), leaf.dtype),
        {"params": state.params, "batch_stats": state.batch_stats},
    )
    checkpoints = Checkpoints(directory)
    checkpoints.save(7, state.replace(**drawn), run.checkpoint_record(), None)
    checkpoints.close()
    return run


def test_pytorch_loads_what_is_exported(tmp_path: Path) -> None:
    config = config_of(blocks=BLOCKS)
    write(tmp_path / "run", config)
    arrays, said = export_weights(tmp_path / "run", "latest", tmp_path / "weights.pth")
    assert "PyTorch code for CIFAR" in said
    state_dict = torch.load(tmp_path / "weights.pth", weights_only=True)
    reference = InLayers(CLASSES, BLOCKS)
    reference.load_state_dict(state_dict, strict=True)
    assert all((state_dict[name].numpy() == array).all() for name, array in arrays.items())
    assert state_dict["bn1.num_batches_tracked"] == 7
    restored = restore(tmp_path / "run")
    images = same_weights.images_for((SIZE, SIZE, 3), 3)
    variables = {"params": restored.params, "batch_stats": restored.batch_stats}
    with torch.no_grad():
        theirs = reference.eval()(same_weights.channels_first(images)).numpy()
    ours = restored.model.apply(variables, images).logits
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("cifar_resnet", {"blocks": BLOCKS}),
        ("resnet", {"depth": 18, "width": 0.25, "blocks": (1, 1)}),
        ("vgg", {"width": 0.25, "convolutions": (1, 1), "norm": "batch"}),
        # No such network in PyTorch: the layers here.
        ("cifar_preact_resnet", {"blocks": BLOCKS, "width": 0.25}),
        ("mlp", {"layers": (12,), "norm": "batch", "activation": "prelu"}),
    ],
)
def test_out_and_in_again(name: str, kwargs: dict[str, Any], tmp_path: Path) -> None:
    config = config_of(name, **kwargs)
    write(tmp_path / "run", config)
    path = tmp_path / "weights.pth"
    written, _ = export_weights(tmp_path / "run", "latest", path)
    found = with_weights(config, path, tmp_path / "again")
    before = restore(tmp_path / "run")
    for ours, again in ((before.params, found.params), (before.batch_stats, found.batch_stats)):
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), ours, again))
    twice, _ = export_weights(tmp_path / "again", "latest", tmp_path / "twice.pth")
    for key, array in written.items():
        assert key.endswith("num_batches_tracked") or (array == twice[key]).all(), key
