"""The same weights give the same logits and gradients here and in PyTorch."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

from cnn_jax import models
from tests.parity import same_weights
from tests.parity.inception_networks import GoogLeNet, InceptionV3
from tests.parity.sequential_networks import VGG, AlexNet, ResNet

CLASSES, LABELS = 11, np.array([3, 7])
AUXILIARY_WEIGHT = 0.3


class Case(NamedTuple):
    """A reference network, and what it is here. Maps before the classifier are not square."""

    reference: Callable[[], nn.Module]
    name: str
    kwargs: dict[str, Any]
    size: tuple[int, int, int]


CASES = {
    "alexnet": Case(
        partial(AlexNet, CLASSES, (99, 131)), "alexnet", {"variant": "torchvision"}, (99, 131, 3)
    ),
    "vgg16_bn": Case(
        partial(VGG, CLASSES, (64, 32)), "vgg", {"variant": "D", "norm": "batch"}, (64, 32, 3)
    ),
    "resnet18": Case(partial(ResNet, 18, CLASSES), "resnet", {"depth": 18}, (64, 96, 3)),
    "resnet50": Case(
        partial(ResNet, 50, CLASSES), "resnet", {"depth": 50, "variant": "v1.5"}, (64, 96, 3)
    ),
    "googlenet": Case(
        partial(GoogLeNet, CLASSES), "googlenet", {"variant": "torchvision"}, (64, 96, 3)
    ),
    "inception_v3": Case(
        partial(InceptionV3, CLASSES, auxiliary=False),
        "inception_v3",
        {"auxiliary": False},
        (107, 139, 3),
    ),
}
# Where the auxiliary heads run at the published size only; narrow, for they are the slowest.
WITH_HEADS = CASES | {
    "googlenet": CASES["googlenet"]._replace(size=(224, 224, 3)),
    "inception_v3": Case(partial(InceptionV3, CLASSES), "inception_v3", {}, (299, 299, 3)),
}


class Result(NamedTuple):
    """Gradients are in our layout on both sides."""

    logits: np.ndarray
    auxiliary: dict[str, np.ndarray]
    loss: float
    gradients: Any
    statistics: Any


def run_both(case: Case, train: bool, dtype: str) -> tuple[Result, Result, models.Network]:
    """Runs one batch forward and backward, here and in PyTorch."""
    reference = same_weights.build(case.reference).to(getattr(torch, dtype)).train(train)
    model, variables = same_weights.twin(
        reference, case.name, case.size, CLASSES, dtype=dtype, **case.kwargs
    )
    images = same_weights.images_for(case.size, len(LABELS)).astype(dtype)
    ours = run_here(model, variables, images, train)
    logits, auxiliary = same_weights.outputs(reference(same_weights.channels_first(images)))
    auxiliary = auxiliary if train else {}
    labels = torch.from_numpy(LABELS)
    losses = [F.cross_entropy(x, labels) for x in (logits, *auxiliary.values())]
    loss = losses[0] + AUXILIARY_WEIGHT * sum(losses[1:])
    loss.backward()
    after = same_weights.convert(same_weights.gradients(reference), model, case.size)
    theirs = Result(
        logits.detach().numpy(),
        {head: x.detach().numpy() for head, x in auxiliary.items()},
        loss.item(),
        after["params"],
        after["batch_stats"],
    )
    return ours, theirs, model


def run_here(model: models.Network, variables: Any, images: np.ndarray, train: bool) -> Result:
    def loss(params: Any) -> tuple[jax.Array, Any]:
        given = variables | {"params": params}
        found, changed = model.apply(given, images, train=train, mutable=["batch_stats"])
        every = [found.logits, *found.auxiliary.values()]
        losses = [-jax.nn.log_softmax(x)[jnp.arange(len(LABELS)), LABELS].mean() for x in every]
        total = losses[0] + AUXILIARY_WEIGHT * sum(losses[1:])
        return total, (found, changed.get("batch_stats", {}))

    # Under jit, as everything that users run.
    compiled = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (total, (found, statistics)), grads = compiled(variables["params"])
    return Result(found.logits, found.auxiliary, float(total), grads, statistics)


def differing(ours: Any, theirs: Any, tolerance: float) -> dict[str, float]:
    found = same_weights.mismatch(ours, theirs)
    return {name: value for name, value in found.items() if value > tolerance}


@pytest.mark.parametrize("name", CASES)
def test_evaluation_in_float32(name: str) -> None:
    ours, theirs, _ = run_both(CASES[name], train=False, dtype="float32")
    largest = np.abs(theirs.logits).max()
    assert np.abs(ours.logits - theirs.logits).max() <= 1e-4 * largest
    assert differing(ours.gradients, theirs.gradients, 1e-3) == {}


@pytest.mark.parametrize("name", WITH_HEADS)
def test_training_in_float64(name: str) -> None:
    """Behind statistics of the batch, with auxiliary heads.

    In float32 PyTorch itself is 5 % away from this in the gradients of ResNet-50.
    """
    with jax.enable_x64(True):
        ours, theirs, model = run_both(WITH_HEADS[name], train=True, dtype="float64")
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
    assert list(ours.auxiliary) == list(theirs.auxiliary)
    assert differing(ours.auxiliary, theirs.auxiliary, 1e-10) == {}
    assert differing(ours.gradients, theirs.gradients, 1e-10) == {}
    if model.published.batch_norm.get("unbiased_running_variance"):
        assert differing(ours.statistics, theirs.statistics, 1e-10) == {}
