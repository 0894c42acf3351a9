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
from cnn_jax.devices.parallel import Devices
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
# With auxiliary heads, at the published size.
HALF = {"width": 0.5}
WITH_HEADS = CASES | {
    "googlenet": Case(
        partial(GoogLeNet, CLASSES, **HALF),
        "googlenet",
        {"variant": "torchvision", **HALF},
        (224, 224, 3),
    ),
    "inception_v3": Case(
        partial(InceptionV3, CLASSES, **HALF), "inception_v3", HALF, (299, 299, 3)
    ),
}


class Result(NamedTuple):
    """Of one batch; gradients and statistics are in our layout on both sides."""

    logits: np.ndarray
    auxiliary: dict[str, np.ndarray]
    loss: float
    gradients: Any
    statistics: Any


class Twins(NamedTuple):
    """One network twice, in one dtype and mode, and as many batches as are asked for."""

    case: Case
    reference: nn.Module
    model: models.Network
    variables: dict[str, Any]
    train: bool
    batches: list[np.ndarray]


def twins(case: Case, train: bool, dtype: str, batches: int = 1) -> Twins:
    reference = same_weights.build(case.reference).to(getattr(torch, dtype)).train(train)
    model, variables = same_weights.twin(
        reference, case.name, case.size, CLASSES, dtype=dtype, **case.kwargs
    )
    images = [same_weights.images_for(case.size, len(LABELS), seed) for seed in range(batches)]
    return Twins(case, reference, model, variables, train, [x.astype(dtype) for x in images])


def run_here(pair: Twins) -> list[Result]:
    def loss(params: Any, images: Any) -> tuple[jax.Array, Any]:
        given = pair.variables | {"params": params}
        found, changed = pair.model.apply(given, images, train=pair.train, mutable=["batch_stats"])
        every = [found.logits, *found.auxiliary.values()]
        losses = [-jax.nn.log_softmax(x)[jnp.arange(len(LABELS)), LABELS].mean() for x in every]
        total = losses[0] + AUXILIARY_WEIGHT * sum(losses[1:])
        return total, (found, changed.get("batch_stats", {}))

    # Compiled as everything that users run.
    run = Devices(count=1).compile_inference(jax.value_and_grad(loss, has_aux=True))
    results = []
    for images in pair.batches:
        (total, (found, statistics)), gradients = run(pair.variables["params"], images)
        results.append(Result(*found, float(total), gradients, statistics))
    return results


def run_in_torch(pair: Twins) -> list[Result]:
    results = []
    for images in pair.batches:
        pair.reference.zero_grad()
        found = pair.reference(same_weights.channels_first(images))
        logits, auxiliary = same_weights.outputs(found)
        auxiliary = auxiliary if pair.train else {}
        labels = torch.from_numpy(LABELS)
        losses = [F.cross_entropy(x, labels) for x in (logits, *auxiliary.values())]
        loss = losses[0] + AUXILIARY_WEIGHT * sum(losses[1:])
        loss.backward()
        after = same_weights.convert(
            same_weights.gradients(pair.reference), pair.model, pair.case.size
        )
        heads = {head: x.detach().numpy() for head, x in auxiliary.items()}
        results.append(Result(logits.detach().numpy(), heads, loss.item(), *after.values()))
    return results


def above(tolerance: float, found: dict[str, float]) -> dict[str, float]:
    return {leaf: value for leaf, value in found.items() if value > tolerance}


@pytest.mark.parametrize("name", CASES)
def test_evaluation_in_float32(name: str) -> None:
    pair = twins(CASES[name], train=False, dtype="float32", batches=3)
    wrong: dict[str, float] = {}
    for ours, theirs in zip(run_here(pair), run_in_torch(pair), strict=True):
        largest = np.abs(theirs.logits).max()
        assert np.abs(ours.logits - theirs.logits).max() <= 1e-4 * largest
        found = same_weights.mismatch(ours.gradients, theirs.gradients)
        wrong = {leaf: min(value, wrong.get(leaf, value)) for leaf, value in found.items()}
    # Now and then two pixels of a pooling window differ by less than the rounding, and another of
    # them wins: 1 % in the gradient of the first layer. It does not happen in every batch.
    assert above(1e-3, wrong) == {}


@pytest.mark.parametrize("name", WITH_HEADS)
def test_training_in_float64(name: str) -> None:
    """Behind statistics of the batch, with auxiliary heads.

    In float32 PyTorch itself is 5 % away from this in the gradients of ResNet-50.
    """
    with jax.enable_x64(True):
        pair = twins(WITH_HEADS[name], train=True, dtype="float64")
        (ours,), (theirs,) = run_here(pair), run_in_torch(pair)
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
    assert list(ours.auxiliary) == list(theirs.auxiliary)
    assert above(1e-10, same_weights.mismatch(ours.auxiliary, theirs.auxiliary)) == {}
    assert above(1e-10, same_weights.mismatch(ours.gradients, theirs.gradients)) == {}
    if pair.model.published.batch_norm.get("unbiased_running_variance"):
        assert above(1e-10, same_weights.mismatch(ours.statistics, theirs.statistics)) == {}
