"""AlexNet: the input of 224 pixels, the two groups, and what sets the variants apart."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import layer_table

WIDTH = 0.02
ORDERS = {
    "paper": ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2"],
    "bvlc": ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2"],
    "caffe": ["conv1", "pool1", "norm1", "conv2", "pool2", "norm2"],
    "torchvision": ["conv1", "pool1", "conv2", "pool2"],
    "cudaconvnet2": ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2"],
}


def build(**kwargs: Any) -> models.Network:
    return models.build("alexnet", num_classes=10, **{"width": WIDTH, **kwargs})


def variables(model: models.Network, size: int = 63) -> Any:
    return init_variables(model, jax.random.key(0), (1, size, size, 3), train=False)


def images(size: int = 63) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (2, size, size, 3))


def taps(model: models.Network, given: Any, x: jax.Array) -> Any:
    return model.apply(given, x, mutable=["taps"])[1]["taps"]


@pytest.mark.parametrize("variant", ["paper", "cudaconvnet2"])
def test_224_pixels_give_the_map_of_227(variant: str) -> None:
    model = build(variant=variant)
    rows = [layer_table(model, (size, size, 3)) for size in (224, 227)]
    assert [row.output for row in rows[0]] == [row.output for row in rows[1]]
    assert rows[0][0].output[:2] == (55, 55)


def test_the_last_filters_see_zeros_beyond_the_border() -> None:
    model, x = build(), images(224)
    given = variables(model, 224)
    wider = jnp.pad(x, ((0, 0), (0, 3), (0, 3), (0, 0)))
    conv1 = jax.jit(lambda images: taps(model, given, images)["conv1"])
    np.testing.assert_allclose(conv1(x), conv1(wider), atol=1e-6)


@pytest.mark.parametrize(("variant", "reached"), [("paper", False), ("cudaconvnet2", True)])
def test_groups_of_conv2_do_not_see_each_other(variant: str, reached: bool) -> None:
    # Normalisation over neighbouring maps crosses the border between the groups.
    model, x = build(variant=variant, response_norm=False), images()
    given = variables(model)
    kernel = given["params"]["conv1"]["kernel"]
    half = kernel.shape[-1] // 2
    other = jax.tree.map(lambda leaf: leaf, given)
    other["params"]["conv1"]["kernel"] = kernel.at[..., half:].add(0.1)
    before, after = taps(model, given, x), taps(model, other, x)
    change = jnp.abs(after["conv2"] - before["conv2"]).max((0, 1, 2))
    half = len(change) // 2
    assert bool((change[:half] > 0).all()) == reached
    assert bool((change[:half] == 0).all()) != reached
    assert bool((change[half:] > 0).all())
    assert bool((jnp.abs(after["conv3"] - before["conv3"]).max((0, 1, 2)) > 0).all())


@pytest.mark.parametrize("variant", ORDERS)
def test_order_of_normalisation_and_pooling(variant: str) -> None:
    rows = layer_table(build(variant=variant), (227, 227, 3))
    assert [row.name for row in rows][: len(ORDERS[variant])] == ORDERS[variant]


@pytest.mark.parametrize(("variant", "k"), [("paper", 2), ("bvlc", 1), ("cudaconvnet2", 2)])
def test_constant_of_the_normalisation(variant: str, k: int) -> None:
    # On small units the sum of squares vanishes beside k.
    model = build(variant=variant)
    seen = taps(model, variables(model), 1e-3 * images())
    x = seen["conv1"] if variant == "cudaconvnet2" else jax.nn.relu(seen["conv1"])
    np.testing.assert_allclose(seen["norm1"], x / k**0.75, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("variant", "biased", "fc8"),
    [("paper", 1.0, 0.0), ("bvlc", 0.1, 0.0), ("caffe", 1.0, 0.0), ("cudaconvnet2", 1.0, -7.0)],
)
def test_first_biases(variant: str, biased: float, fc8: float) -> None:
    params = variables(build(variant=variant))["params"]
    first = {name: np.unique(np.asarray(leaves["bias"])) for name, leaves in params.items()}
    ones = dict.fromkeys(("conv2", "conv4", "conv5", "fc6", "fc7"), biased)
    expected = {**ones, "conv1": 0.0, "conv3": 0.0, "fc8": fc8}
    assert first == {name: pytest.approx([value]) for name, value in expected.items()}


def test_pytorchs_first_biases() -> None:
    params = variables(build(variant="torchvision", width=0.2))["params"]
    largest = {name: float(jnp.abs(leaves["bias"]).max()) for name, leaves in params.items()}
    for name, inputs in (("conv1", 363), ("conv3", 1728), ("fc6", 9216), ("fc7", 4096)):
        assert 0.7 < largest[name] * inputs**0.5 <= 1, name


def test_places_of_dropout() -> None:
    names = [row.name for row in layer_table(build(variant="torchvision"), (224, 224, 3))]
    assert names[-6:] == ["pool5", "pool5_dropout", "fc6", "fc6_dropout", "fc7", "fc8"]
    with pytest.raises(InputError, match="'fc7': no dropout there"):
        build(variant="torchvision", dropout_rate={"fc7": 0.5})
