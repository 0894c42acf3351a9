import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.initializers.fixed import lecun_1998_uniform
from cnn_jax.layers.pooling import max_pool
from cnn_jax.layers.subsampling import SubSampling

KERNEL, BIAS = np.array([0.5, -2.0, 1.0]), np.array([0.1, 0.2, -0.3])


def image(height=6, width=4):
    return np.random.default_rng(0).normal(size=(2, height, width, 3))


def apply(layer, x, kernel=KERNEL, bias=BIAS):
    return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)


@pytest.mark.parametrize(("size", "window"), [((6, 4), 2), ((7, 5), 2), ((6, 9), 3)])
def test_is_coefficient_times_sum_plus_bias(size, window):
    x = image(*size)
    want = np.zeros((2, size[0] // window, size[1] // window, 3))
    for row, column in np.ndindex(want.shape[1:3]):
        top, left = row * window, column * window
        seen = x[:, top : top + window, left : left + window]
        want[:, row, column] = KERNEL * seen.sum((1, 2)) + BIAS
    with jax.enable_x64(True):
        got = apply(SubSampling(window, dtype=jnp.float64), jnp.asarray(x))
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_another_pool_takes_the_place_of_the_sum():
    x = np.float32(image())
    got = apply(SubSampling(2, max_pool), x)
    np.testing.assert_allclose(got, 4 * KERNEL * max_pool(x, 2) + BIAS, rtol=1e-5)


def test_gradients_against_finite_differences():
    with jax.enable_x64(True):
        layer, x = SubSampling(2, dtype=jnp.float64), jnp.asarray(image())
        operands = (x, jnp.asarray(KERNEL), jnp.asarray(BIAS))
        check_grads(lambda *given: apply(layer, *given), operands, order=1)


def test_the_initialiser_sees_the_window_of_a_map():
    layer = SubSampling(2, kernel_init=lecun_1998_uniform())
    params = layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 2_000)))["params"]
    assert params["kernel"].shape == params["bias"].shape == (2_000,)
    largest = float(jnp.abs(params["kernel"]).max())
    assert 0.59 < largest <= 2.4 / 4


def test_parameters_stay_wide_in_bfloat16():
    layer = SubSampling(2, dtype=jnp.bfloat16)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
