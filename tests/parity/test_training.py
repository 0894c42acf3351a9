"""Twenty steps of the project's train step equal twenty of torch.optim.SGD."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

from cnn_jax.config.identity import to_tree
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.run import Run, prepare
from tests import configs
from tests.parity import same_weights
from tests.parity.sequential_networks import AlexNet, ResNet

STEPS, BATCH, CLASSES, SIZE, WIDTH = 20, 8, 4, 67, 0.125
RATE, MOMENTUM, DECAY = 0.05, 0.9, 1e-2


class Case(NamedTuple):
    reference: Callable[[], nn.Module]
    name: str
    kwargs: dict[str, Any]


CASES = {
    "alexnet": Case(
        partial(AlexNet, CLASSES, (SIZE, SIZE), WIDTH), "alexnet", {"variant": "torchvision"}
    ),
    "resnet18": Case(partial(ResNet, 18, CLASSES, WIDTH), "resnet", {"depth": 18}),
}


def prepared(case: Case) -> Run:
    return prepare(
        configs.make(
            {
                "data.kwargs": {"train": 48, "test": 8, "size": SIZE, "channels": 3, "classes": 4},
                "data.normalisation": "unit",
                "data.shift_pixels": 0.0,
                "data.rotation_degrees": 0.0,
                "data.flip": False,
                "model.name": case.name,
                "model.kwargs": {**case.kwargs, "width": WIDTH, "dropout_rate": 0.0},
                "optim.name": "momentum",
                "optim.learning_rate": RATE,
                "optim.momentum": MOMENTUM,
                "optim.weight_decay": DECAY,
                "schedule.name": "constant",
                "schedule.kwargs": {},
                "schedule.warmup_epochs": 0.0,
                "train.batch_size": BATCH,
                "train.label_smoothing": 0.0,
                "precision.compute": "float64",
            }
        )
    )


def batches(run: Run) -> list[dict[str, np.ndarray]]:
    train = run.dataset.train
    order = np.random.default_rng(0).permutation(len(train))
    order = np.concatenate([order] * 5)[: STEPS * BATCH].reshape(STEPS, BATCH)
    return [{"image": train.images[ids], "label": train.labels[ids]} for ids in order]


def losses_here(run: Run, reference: nn.Module) -> tuple[list[float], Any]:
    variables = same_weights.convert(
        same_weights.state_dict(reference), run.recipe.model, run.dataset.image_shape
    )
    state = run.devices.place(run.initial_state().replace(**variables))
    step = run.devices.compile_train_step(make_train_step(run.recipe), state)
    losses = []
    for batch in batches(run):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    return losses, {"params": state.params, "batch_stats": state.batch_stats}


def losses_in_torch(run: Run, module: nn.Module) -> list[float]:
    """Weight decay is for kernels alone, and the loss contains it, as it does here."""
    module.train()
    kernels = [p for p in module.parameters() if p.ndim > 1]
    rest = [p for p in module.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM)
    losses = []
    for batch in batches(run):
        images = same_weights.channels_first(batch["image"].astype(np.float64) / 255)
        optimizer.zero_grad()
        loss = F.cross_entropy(module(images), torch.from_numpy(batch["label"]).long())
        penalty = sum(p.detach().square().sum() for p in kernels)
        losses.append(loss.item() + DECAY / 2 * float(penalty))
        loss.backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("name", CASES)
def test_losses_and_weights_stay_equal(name: str) -> None:
    case = CASES[name]
    reference = same_weights.build(case.reference).double()
    try:
        run = prepared(case)
        assert to_tree(run.config)["optim"]["weight_decay_form"] == "l2"
        ours, variables = losses_here(run, reference)
        theirs = losses_in_torch(run, reference)
        after = same_weights.convert(
            same_weights.state_dict(reference), run.recipe.model, run.dataset.image_shape
        )
    finally:
        jax.config.update("jax_enable_x64", False)
    assert len(ours) == STEPS and max(theirs) - min(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    wrong = same_weights.mismatch(variables, after)
    assert {leaf: value for leaf, value in wrong.items() if value > 1e-8} == {}
