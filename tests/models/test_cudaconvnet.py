"""cuda-convnet's network: order of normalisation and pooling, unshared filters, first weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.layers.local_response_norm import local_response_norm
from cnn_jax.layers.pooling import max_pool
from cnn_jax.models.layer_table import layer_table


def test_normalisation_is_behind_the_first_pooling_and_before_the_second() -> None:
    model = models.build("cudaconvnet", num_classes=10, width=0.1)
    names = [row.name for row in layer_table(model, (24, 24, 3)) if row.kind != "dropout"]
    assert names == [
        "conv1",
        "pool1",
        "rnorm1",
        "conv2",
        "rnorm2",
        "pool2",
        "local3",
        "local4",
        "fc10",
    ]


def test_constants_of_the_normalisation() -> None:
    model = models.build("cudaconvnet", num_classes=10, width=0.2, kernel_init="lecun_normal")
    variables = init_variables(model, jax.random.key(0), (1, 8, 8, 3), train=False)
    images = 30 * jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    _, state = jax.jit(lambda v: model.apply(v, images, mutable=["taps"]))(variables)
    taps = state["taps"]
    pooled = max_pool(jnp.maximum(taps["conv1"], 0), 3, 2, rounding="ceil")
    np.testing.assert_allclose(taps["pool1"], pooled, rtol=1e-6)
    padded = np.pad(np.square(np.float64(pooled)), ((0, 0),) * 3 + ((4, 4),))
    total = sum(padded[..., i : i + pooled.shape[-1]] for i in range(9))
    want = np.float64(pooled) / (1 + 0.001 / 9 * total) ** 0.75
    assert np.abs(want - pooled).max() > 1
    np.testing.assert_allclose(taps["rnorm1"], want, rtol=1e-5)
    assert not np.allclose(taps["rnorm1"], local_response_norm(pooled, 9))


def test_filters_and_biases_of_the_local_layers_belong_to_a_position() -> None:
    model = models.build("cudaconvnet", num_classes=10)
    images = jax.ShapeDtypeStruct((1, 24, 24, 3), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), images)["params"]
    assert params["local3"]["kernel"].shape == (6, 6, 3, 3, 64, 64)
    assert params["local4"]["bias"].shape == (6, 6, 32)


def test_first_weights() -> None:
    model = models.build("cudaconvnet", num_classes=10, width=0.3)
    params = init_variables(model, jax.random.key(0), (1, 24, 24, 3), train=False)["params"]
    spreads = {"conv1": 1e-4, "conv2": 0.01, "local3": 0.04, "local4": 0.04, "fc10": 0.01}
    for name, spread in spreads.items():
        assert float(params[name]["kernel"].std()) == pytest.approx(spread, rel=0.05), name
        assert not params[name]["bias"].any()
