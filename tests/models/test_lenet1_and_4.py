"""What the papers print of LeNet-1 and LeNet-4 beyond their parameter counts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.layers.subsampling import SubSampling
from cnn_jax.models import lenet1, lenet4
from cnn_jax.step.curvature import curvature

# Output of every layer, and its connections: numbers trained times the places where each is used.
PRINTED: dict[str, dict[str, tuple[tuple[int, ...], int]]] = {
    "lenet1": {
        "C1": ((24, 24, 4), 59_904),
        "S2": ((12, 12, 4), 2_880),
        "C3": ((8, 8, 12), 32_768),
        "S4": ((4, 4, 12), 960),
        "OUTPUT": ((10,), 1_930),
    },
    "lenet4": {
        "C1": ((28, 28, 4), 81_536),
        "S2": ((14, 14, 8), 7_840),
        "C3": ((10, 10, 16), 121_600),
        "S4": ((5, 5, 16), 2_000),
        "F5": ((120,), 48_120),
        "OUTPUT": ((10,), 1_210),
    },
}
SIDES = {"lenet1": 28, "lenet4": 32}


def tapped(name: str, **kwargs: Any) -> tuple[models.Network, Any, Any, Any]:
    model = models.build(name, num_classes=10, **kwargs)
    images = jax.random.normal(jax.random.key(1), (3, SIDES[name], SIDES[name], 1))
    variables = init_variables(model, jax.random.key(0), (1, *images.shape[1:]), train=False)
    prediction, state = model.apply(variables, images, mutable=["taps"])
    return model, variables["params"], state["taps"], prediction.logits


@pytest.mark.parametrize(("name", "total"), [("lenet1", 98_442), ("lenet4", 262_306)])
def test_outputs_and_connections_are_those_of_the_table(name: str, total: int) -> None:
    _, params, taps, _ = tapped(name)
    found = {}
    for layer, (shape, _) in PRINTED[name].items():
        places = int(np.prod(shape[:2])) if len(shape) == 3 else 1
        numbers = sum(leaf.size for leaf in params[layer].values())
        # A sub-sampling unit multiplies four sums by one coefficient.
        each = numbers if layer[0] != "S" else numbers // 2 * 5
        found[layer] = (taps[layer].shape[1:], each * places)
    assert found == PRINTED[name] and sum(count for _, count in found.values()) == total


def test_the_table_of_lenet_1_is_that_of_1990() -> None:
    """Two halves that see nothing of each other, and maps of one or two inputs."""
    table = lenet1.C3_CONNECTIONS
    assert len(table) == 12 and sum(map(len, table)) == 20
    assert [i + 1 for i, seen in enumerate(table) if len(seen) == 1] == [1, 4, 7, 10]
    assert {i for seen in table[:6] for i in seen} == {0, 1}
    assert {i for seen in table[6:] for i in seen} == {2, 3}


def test_the_table_of_lenet_4_is_even() -> None:
    table = lenet4.C3_CONNECTIONS
    assert len(set(table)) == 16 and {len(seen) for seen in table} == {3}
    assert [sum(i in seen for seen in table) for i in range(8)] == [6] * 8
    assert all(len({i // 2 for i in seen}) == 3 for seen in table), "three different maps of C1"


def test_sub_sampling_maps_in_pairs() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    layer = SubSampling(2, maps=2)
    variables = layer.init(jax.random.key(0), x)
    numbers = {
        name: np.arange(6.0, dtype=np.float32) + i for i, name in enumerate(["kernel", "bias"])
    }
    assert jax.tree.map(jnp.shape, variables["params"]) == {"kernel": (6,), "bias": (6,)}
    y = layer.apply({"params": numbers}, x)
    sums = x.reshape(2, 2, 2, 3, 2, 3).sum((2, 4))
    for out in range(6):
        want = sums[..., out // 2] * numbers["kernel"][out] + numbers["bias"][out]
        np.testing.assert_allclose(y[..., out], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PRINTED)
def test_every_layer_squashes_and_so_do_the_outputs(name: str) -> None:
    _, params, taps, outputs = tapped(name)
    last = {"lenet1": "S4", "lenet4": "F5"}[name]
    hidden = 1.7159 * np.tanh(2 / 3 * taps[last]).reshape(3, -1)
    sums = hidden @ params["OUTPUT"]["kernel"] + params["OUTPUT"]["bias"]
    np.testing.assert_allclose(taps["OUTPUT"], sums, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs, 1.7159 * np.tanh(2 / 3 * sums), rtol=1e-4, atol=1e-5)
    linear = tapped(name, output_activation="linear")[3]
    np.testing.assert_allclose(linear, sums, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PRINTED)
def test_twice_as_wide_has_two_copies_of_the_maps(name: str) -> None:
    _, params, taps, _ = tapped(name, width=2.0)
    for layer, (shape, _) in PRINTED[name].items():
        if len(shape) == 3:
            assert taps[layer].shape[1:] == (*shape[:2], 2 * shape[2])
    table = {"lenet1": lenet1, "lenet4": lenet4}[name].C3_CONNECTIONS
    assert params["C3"]["kernel"].shape[-1] == 4 * sum(map(len, table))


@pytest.mark.parametrize("name", PRINTED)
def test_second_derivatives_go_through(name: str) -> None:
    model, params, _, _ = tapped(name)
    images = jax.random.normal(jax.random.key(1), (2, SIDES[name], SIDES[name], 1))

    def outputs(params: Any) -> jax.Array:
        return model.apply({"params": params}, images).logits

    losses = lambda y: 0.5 * jnp.sum(jnp.square(y - 1), axis=1)
    found = jax.jit(lambda params: curvature(outputs, losses, params))(params)
    assert all((leaf >= 0).all() and leaf.any() for leaf in jax.tree.leaves(found))
