import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.convolution import Conv
from cnn_jax.layers.locally_connected import LocallyConnected
from tests.layers import references


def operands(image, output, window, inputs, features):
    generator = np.random.default_rng(0)
    shapes = (2, *image, inputs), (*output, *window, inputs, features), (*output, features)
    return [generator.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize(
    ("image", "output", "window", "strides", "padding"),
    [
        ((5, 4), (5, 4), (3, 3), 1, 1),
        ((7, 7), (3, 3), (3, 3), 2, 0),
        ((4, 5), (3, 5), (2, 1), 1, 0),
    ],
)
def test_equals_plain_loops(image, output, window, strides, padding):
    x, kernel, bias = operands(image, output, window, 2, 3)
    with jax.enable_x64(True):
        layer = LocallyConnected(3, window, strides, padding, dtype=jnp.float64)
        got = layer.apply({"params": {"kernel": kernel, "bias": bias}}, jnp.asarray(x))
    want = references.locally_connected(x, kernel, bias, strides, padding)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_equal_filters_everywhere_are_a_convolution():
    x, kernel, _ = (np.float32(each) for each in operands((6, 6), (6, 6), (3, 3), 2, 3))
    shared = np.broadcast_to(kernel[0, 0], kernel.shape)
    local = LocallyConnected(3, 3, padding=1)
    conv = Conv(3, 3, padding=1, use_bias=False)
    np.testing.assert_allclose(
        local.apply({"params": {"kernel": shared, "bias": np.zeros((6, 6, 3), np.float32)}}, x),
        conv.apply({"params": {"kernel": kernel[0, 0]}}, x),
        rtol=1e-4,
        atol=1e-5,
    )


def test_gradients_against_finite_differences():
    with jax.enable_x64(True):
        x, kernel, bias = map(jnp.asarray, operands((4, 4), (2, 2), (2, 2), 1, 2))
        layer = LocallyConnected(2, 2, 2, dtype=jnp.float64)

        @jax.jit
        def run(x, kernel, bias):
            return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)

        check_grads(run, (x, kernel, bias), order=1, modes=["rev"])


def test_the_initialiser_sees_one_position():
    shapes = []

    def init(key, shape, dtype):
        shapes.append(shape)
        return jax.random.uniform(key, shape, dtype)

    layer = LocallyConnected(2, 3, kernel_init=init)
    params = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((1, 4, 4, 5)))["params"]
    assert params["kernel"].shape == (2, 2, 3, 3, 5, 2)
    assert params["bias"].shape == (2, 2, 2)
    assert shapes == [(3, 3, 5, 2)]


def test_parameters_of_cuda_convnets_local3():
    layer = LocallyConnected(64, 3, padding=1)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((1, 6, 6, 64)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 1_329_408
