import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from cnn_jax.layers.pooling import average_pool, global_average_pool, max_pool
from tests.layers import references


@st.composite
def geometries(draw):
    """Image, window, strides, borders and rounding of a pooling that fits."""

    def both(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    image, window, strides = both(1, 8), both(1, 4), both(1, 4)
    borders = tuple(
        (draw(st.integers(0, side - 1)), draw(st.integers(0, side - 1))) for side in window
    )
    assume(all(image[a] + sum(borders[a]) >= window[a] for a in range(2)))
    return image, window, strides, borders, draw(st.sampled_from(["floor", "ceil"]))


def images(shape):
    return np.random.default_rng(0).normal(size=shape)


@given(geometries())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_max_pool_equals_plain_loops(geometry):
    image, window, strides, borders, rounding = geometry
    x = images((2, *image, 3))
    want = references.pooling(x, window, strides, borders, rounding, references.maximum)
    with jax.enable_x64(True):
        got = max_pool(jnp.asarray(x), window, strides, borders, rounding)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("rule", references.AVERAGES)
@given(geometries())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_average_pool_equals_plain_loops(rule, geometry):
    image, window, strides, borders, rounding = geometry
    x = images((2, *image, 3))
    want = references.pooling(x, window, strides, borders, rounding, references.AVERAGES[rule])
    with jax.enable_x64(True):
        got = average_pool(jnp.asarray(x), window, strides, borders, rounding, rule)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@given(geometries())
@settings(max_examples=4, deadline=None, derandomize=True)
def test_gradients_against_finite_differences(geometry):
    image, window, strides, borders, rounding = geometry
    with jax.enable_x64(True):
        # Spread out, so that no difference moves a maximum.
        x = jnp.asarray(np.random.default_rng(1).permutation(np.prod(image)).reshape(1, *image, 1))
        arguments = (window, strides, borders, rounding)
        for pool in (max_pool, average_pool):
            run = jax.jit(lambda x, pool=pool: pool(x, *arguments))
            check_grads(run, [x * 1.0], order=1, modes=["rev"])


def test_second_derivative_of_max_pool():
    with jax.enable_x64(True):
        x = jnp.asarray(images((1, 5, 5, 1)))
        check_grads(jax.jit(lambda x: max_pool(x, 3, 2) ** 2), [x], order=2, modes=["rev"])


def test_border_rules_of_the_frameworks():
    x = jnp.ones((1, 4, 4, 1))
    corner = {
        rule: float(average_pool(x, 3, 2, 1, "ceil", rule)[0, -1, -1, 0])
        for rule in references.AVERAGES
    }
    # The last window of three starts at pixel 3 and sees one pixel, one of padding asked for, and
    # one that ceil added.
    assert corner == pytest.approx({"valid": 1, "caffe": 1 / 4, "padded": 1 / 9})


def test_sizes_of_googlenet_and_overlapping_alexnet():
    googlenet = jax.eval_shape(
        lambda x: max_pool(x, 3, 2, rounding="ceil"), jnp.zeros((1, 112, 112, 1))
    )
    assert googlenet.shape == (1, 56, 56, 1)
    assert max_pool(jnp.zeros((1, 55, 55, 1)), 3, 2, rounding="exact").shape == (1, 27, 27, 1)


def test_global_average_pool():
    x = images((2, 3, 4, 5))
    np.testing.assert_allclose(
        global_average_pool(jnp.asarray(x, jnp.float32)), x.mean((1, 2)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_dtype_is_kept_and_sums_are_wide(dtype):
    # In bfloat16 a running sum of 400 ones stays at 256.
    x = jnp.ones((1, 20, 20, 1), dtype)
    for y in (max_pool(x, 2), average_pool(x, 20), average_pool(x, 20, 1), global_average_pool(x)):
        assert y.dtype == dtype
        assert (y == 1).all()


def test_errors_say_what_is_allowed():
    x = jnp.zeros((1, 7, 7, 1))
    with pytest.raises(ValueError, match="cannot apply a 3x3 window on a 7x7 input with stride 3"):
        max_pool(x, 3, 3, rounding="exact")
    with pytest.raises(ValueError, match="must be smaller than the window"):
        max_pool(x, 2, 2, 2)
    with pytest.raises(ValueError, match="did you mean 'valid'"):
        average_pool(x, 2, count_padding="vlaid")
    with pytest.raises(ValueError, match=r"images \(N, H, W, C\)"):
        max_pool(x[0], 2)
