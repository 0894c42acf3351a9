"""Residual networks for CIFAR as PyTorch code publishes them: the same logits, in and out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from flax.traverse_util import flatten_dict
from torch import nn
from torch.nn import functional as F

from cnn_jax.transfer.torch_weights import state_dict_of
from tests.parity import same_weights
from tests.parity.cifar_networks import InLayers, InLetters, InStages

CLASSES, SIZE = 10, (16, 20, 3)
Case = tuple[Callable[[], nn.Module], str, dict[str, Any]]
THREE = (2, 1, 2)
# The reference, and what it is here.
CASES: dict[str, Case] = {
    "option A": (partial(InLayers, CLASSES, THREE), "cifar_resnet", {"blocks": THREE}),
    "option A, other names": (
        partial(InLayers, CLASSES, THREE, project="downsample", head="fc"),
        "cifar_resnet",
        {"blocks": THREE},
    ),
    "option A, five narrow stages": (
        partial(InLayers, CLASSES, (1,) * 5, width=4),
        "cifar_resnet",
        {"blocks": (1,) * 5, "width": 0.25},
    ),
    "option B": (
        partial(InLayers, CLASSES, THREE, "B"),
        "cifar_resnet",
        {"blocks": THREE, "shortcut": "B"},
    ),
    "option B, other names": (
        partial(InLayers, CLASSES, (1, 1, 1, 1), "B", project="downsample", head="fc", width=8),
        "cifar_resnet",
        {"blocks": (1, 1, 1, 1), "shortcut": "B", "width": 0.5},
    ),
    "option B in stages": (
        partial(InStages, CLASSES, 2, False),
        "cifar_resnet",
        {"depth": 14, "shortcut": "B"},
    ),
    "option A in letters": (partial(InLetters, CLASSES, 2), "cifar_resnet", {"depth": 14}),
    "pre-activation": (
        partial(InStages, CLASSES, 2, True),
        "cifar_preact_resnet",
        {"depth": 14, "block": "basic", "shortcut": "B"},
    ),
}


def trained(reference: nn.Module, steps: int = 3) -> nn.Module:
    """Draws weights and statistics, and trains for a few steps."""
    optimizer = torch.optim.SGD(reference.train().parameters(), 0.05, momentum=0.9)
    for seed in range(steps):
        images = same_weights.channels_first(same_weights.images_for(SIZE, 8, seed))
        labels = torch.arange(8) % CLASSES
        optimizer.zero_grad()
        F.cross_entropy(reference(images.to(next(reference.parameters()).dtype)), labels).backward()
        optimizer.step()
    return reference.eval()


def logits(reference: nn.Module, dtype: str, name: str, **kwargs: Any) -> tuple[Any, Any]:
    """Returns the logits here, and those of the reference."""
    model, variables = same_weights.twin(reference, name, SIZE, CLASSES, dtype=dtype, **kwargs)
    images = same_weights.images_for(SIZE, 4).astype(dtype)
    with torch.no_grad():
        theirs = reference(same_weights.channels_first(images)).numpy()
    return np.asarray(model.apply(variables, images).logits), theirs


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("steps", [0, 3])
def test_logits_in_float64(case: str, steps: int) -> None:
    make, name, kwargs = CASES[case]
    reference = trained(same_weights.build(make).double(), steps)
    with jax.enable_x64(True):
        ours, theirs = logits(reference, "float64", name, **kwargs)
    assert np.abs(ours - theirs).max() <= 1e-11 * np.abs(theirs).max()


def test_a_trained_network_in_float32() -> None:
    make, name, kwargs = CASES["option A"]
    ours, theirs = logits(trained(same_weights.build(make)), "float32", name, **kwargs)
    assert np.abs(ours - theirs).max() <= 1e-4


def test_names_alone_would_give_other_logits() -> None:
    """The names of the code that pads behind, on the weights of the code that pads both sides."""
    make, name, kwargs = CASES["option A"]
    reference = same_weights.build(make).eval()
    ours, theirs = logits(reference, "float32", name, **kwargs)
    letters = {"conv1": "conv_a", "bn1": "bn_a", "conv2": "conv_b", "bn2": "bn_b"}
    outside = {"conv1": "conv_1_3x3", "bn1": "bn_1", "linear": "classifier"}
    naive = {}
    for key, array in same_weights.state_dict(reference).items():
        part, *rest = key.split(".")
        if part.startswith("layer"):
            index, module, leaf = rest
            naive[f"stage_{part[5:]}.{index}.{letters[module]}.{leaf}"] = array
        else:
            naive[".".join([outside[part], *rest])] = array
    model, _ = same_weights.twin(reference, name, SIZE, CLASSES, **kwargs)
    wrong = model.apply(same_weights.convert(naive, model, SIZE), same_weights.images_for(SIZE, 4))
    assert np.abs(wrong.logits - theirs).max() > 100 * np.abs(ours - theirs).max()


@pytest.mark.parametrize("case", ["option A", "option B", "pre-activation"])
def test_a_state_dict_comes_back_as_it_was(case: str) -> None:
    """In, out, and into the model again, to the bit; so for the names that are written."""
    make, name, kwargs = CASES[case]
    reference = trained(same_weights.build(make))
    model, variables = same_weights.twin(reference, name, SIZE, CLASSES, **kwargs)
    flat = {path: np.asarray(leaf) for path, leaf in flatten_dict(variables).items()}
    written, _ = state_dict_of(flat, model, SIZE, batches=3)
    original = same_weights.state_dict(reference)
    assert written.keys() == original.keys()
    for key, array in original.items():
        assert array.dtype == written[key].dtype and (array == written[key]).all(), key
    again = make()
    again.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in written.items()})
