"""Rematerialisation keeps less for the backward pass and changes no number."""

from functools import cache
from itertools import product
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.models.layered import Part, Published
from cnn_jax.models.network import Network, Prediction
from cnn_jax.step.objective import rematerialised
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import prepare
from tests import configs
from tests.slow_but import slow_but

KINDS = ("none", "pointwise", "parts")


def residual_bytes(kind: str, name: str, size: int, **fields: Any) -> int:
    """Returns the bytes that the backward pass is handed, parameters left out."""
    model = models.build(name, num_classes=10, **fields)
    images = jax.ShapeDtypeStruct((4, size, size, 3), jnp.float32)
    key = jax.random.key(0)
    rngs = {"params": key, "dropout": key}
    variables = jax.eval_shape(lambda x: model.init(rngs, x, train=True), images)

    def backward(params: Any, batch_stats: Any, images: jax.Array) -> Any:
        def forward(params: Any, images: jax.Array) -> jax.Array:
            variables = {"params": params, "batch_stats": batch_stats}
            mutable = ["batch_stats"]
            found = model.apply(variables, images, train=True, rngs=rngs, mutable=mutable)
            return found[0].logits.sum()

        kept = rematerialised(forward, kind)
        return jax.vjp(lambda params: kept(params, images), params)[1]

    handed = jax.eval_shape(backward, variables["params"], variables.get("batch_stats", {}), images)
    shapes = [leaf.shape for leaf in jax.tree.leaves(variables["params"])]
    leaves = [leaf for leaf in jax.tree.leaves(handed) if leaf.shape not in shapes]
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


@pytest.mark.parametrize("depth", [8, pytest.param(56, marks=pytest.mark.slow)])
def test_the_backward_pass_keeps_less(depth: int) -> None:
    none, pointwise, parts = (
        residual_bytes(kind, "cifar_resnet", 32, depth=depth, width=0.25) for kind in KINDS
    )
    print(f"depth {depth}: {none:,} bytes; pointwise {pointwise:,}; parts {parts:,}")
    assert pointwise < 0.5 * none and parts < 0.5 * none


def test_a_network_without_parts_keeps_what_it_kept() -> None:
    fields: dict[str, Any] = {"width": 0.1, "norm": "batch", "convolutions": (1, 1)}
    none, pointwise, parts = (residual_bytes(kind, "vgg", 32, **fields) for kind in KINDS)
    assert pointwise < none and parts == none


FORMS: dict[str, dict[str, Any]] = {
    "one block": {
        "model.kwargs": {"blocks": (1,), "width": 0.25},
        "data.kwargs": {"train": 60, "test": 17, "size": 8, "channels": 3, "classes": 4},
        "data.rotation_degrees": 0.0,
        "data.shift_pixels": 0.0,
    },
    "three blocks": {
        "model.kwargs": {"depth": 8, "width": 0.25},
        "data.kwargs": {"train": 60, "test": 17, "size": 16, "channels": 3, "classes": 4},
    },
}


@cache
def losses(form: str, kind: str) -> np.ndarray:
    """Three steps under pmap, where batch norm averages over the devices inside the parts."""
    keys = {"train.remat": kind, "parallel.mode": "pmap", "parallel.devices": 2}
    run = prepare(configs.make({"model.name": "cifar_resnet"} | FORMS[form] | keys))
    state = run.initial_state()
    return make_feed(run, state)(state, 0, 3)[1]["loss"]


@pytest.mark.parametrize(
    ("form", "kind"), slow_but([("one block", "parts")], product(FORMS, KINDS[1:]))
)
def test_no_number_changes(form: str, kind: str) -> None:
    np.testing.assert_allclose(losses(form, kind), losses(form, "none"), rtol=1e-5)


class Block(Part):
    """A part with dropout."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        return self.dropout("fc", self.dense("fc", x, 8), train)


class WithBlock(Network):
    """A network of one part and the last layer."""

    published = Published(dropout={"block/fc": 0.5})

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        x = self.part(Block, "block")(self.flatten(images), train)
        return Prediction(self.logits("logits", x), {})


def test_dropout_inside_a_part_is_the_same() -> None:
    model, images = WithBlock(num_classes=3), jnp.ones((4, 3, 3, 1))
    rngs = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    variables = model.init(rngs, images, train=True)
    found = []
    for kind in KINDS:
        forward = lambda v: model.apply(v, images, train=True, rngs=rngs).logits.sum()
        found.append(jax.value_and_grad(rematerialised(forward, kind))(variables))
    for other in found[1:]:
        for a, b in zip(jax.tree.leaves(found[0]), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    kept = model.apply(variables, images, train=True, rngs=rngs).logits
    assert not np.allclose(kept, model.apply(variables, images).logits), "dropout is on"
