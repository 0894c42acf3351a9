import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from cnn_jax.layers.convolution import Conv, conv2d
from cnn_jax.layers.window import fit_window
from tests.layers import references


@st.composite
def geometries(draw):
    """Shapes and arguments of a convolution whose filter fits."""

    def both(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    groups = draw(st.sampled_from([1, 1, 2, 3]))
    image, window = both(1, 9), both(1, 4)
    arguments = {
        "strides": both(1, 3),
        "padding": (both(0, 2), both(0, 2)),
        "dilation": both(1, 2),
        "rounding": draw(st.sampled_from(["floor", "ceil"])),
    }
    try:
        fit_window(image, window, **arguments)
    except ValueError:
        assume(False)
    inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)) * groups
    shapes = (2, *image, inputs * groups), (*window, inputs, outputs)
    return shapes, {**arguments, "groups": groups}


def operands(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape) for shape in shapes]


@given(geometries())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_equals_plain_loops(geometry):
    shapes, arguments = geometry
    x, kernel = operands(shapes)
    fit = {name: arguments[name] for name in ("strides", "padding", "dilation", "rounding")}
    _, borders = fit_window(x.shape[1:3], kernel.shape[:2], **fit)
    want = references.convolution(
        x, kernel, arguments["strides"], borders, arguments["dilation"], arguments["groups"]
    )
    with jax.enable_x64(True):
        got = conv2d(jnp.asarray(x), jnp.asarray(kernel), **arguments)
        assert got.dtype == jnp.float64
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@given(geometries())
@settings(max_examples=5, deadline=None, derandomize=True)
def test_gradients_against_finite_differences(geometry):
    shapes, arguments = geometry
    with jax.enable_x64(True):
        check_grads(
            jax.jit(lambda x, kernel: conv2d(x, kernel, **arguments)),
            [jnp.asarray(each) for each in operands(shapes)],
            order=1,
            modes=["rev"],
        )


@pytest.mark.parametrize("padding", [0, 1])
def test_second_derivatives_against_finite_differences(padding):
    with jax.enable_x64(True):
        x, kernel = map(jnp.asarray, operands([(1, 4, 4, 1), (2, 2, 1, 2)]))
        check_grads(
            jax.jit(lambda x, kernel: conv2d(x, kernel, strides=2, padding=padding) ** 2),
            (x, kernel),
            order=2,
            modes=["rev"],
        )


def test_translation_away_from_borders():
    x, kernel = operands([(1, 12, 12, 2), (3, 3, 2, 4)])
    moved = np.roll(x, (2, 1), (1, 2))
    with jax.enable_x64(True):
        y, z = (conv2d(jnp.asarray(each), jnp.asarray(kernel), padding=1) for each in (x, moved))
    np.testing.assert_array_equal(np.roll(y, (2, 1), (1, 2))[:, 3:-3, 3:-3], z[:, 3:-3, 3:-3])


def test_exact_mode_and_filters_that_do_not_fit():
    image, kernel = jnp.zeros((1, 7, 7, 1)), jnp.zeros((3, 3, 1, 1))
    assert conv2d(image, kernel, strides=2, rounding="exact").shape == (1, 3, 3, 1)
    with pytest.raises(ValueError, match="cannot apply a 3x3 filter on a 7x7 input with stride 3"):
        conv2d(image, kernel, strides=3, rounding="exact")
    assert conv2d(image, kernel, strides=3).shape == (1, 2, 2, 1)
    assert conv2d(image, kernel, strides=3, rounding="ceil").shape == (1, 3, 3, 1)
    with pytest.raises(ValueError, match="cannot apply a 3x3 filter on a 2x2 input"):
        conv2d(image[:, :2, :2], kernel)


def test_shapes_that_do_not_agree():
    with pytest.raises(ValueError, match=r"2 groups see 8 channels, the images have 6"):
        conv2d(jnp.zeros((1, 5, 5, 6)), jnp.zeros((3, 3, 4, 8)), groups=2)
    with pytest.raises(ValueError, match=r"must be \(N, H, W, C\)"):
        conv2d(jnp.zeros((5, 5, 6)), jnp.zeros((3, 3, 6, 8)))
    with pytest.raises(ValueError, match="3 groups must divide the 4 channels"):
        Conv(6, 3, groups=3).init(jax.random.key(0), jnp.zeros((1, 5, 5, 4)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float64])
def test_layer_parameters_and_dtypes(dtype):
    with jax.enable_x64(dtype is jnp.float64):
        layer = Conv(8, (3, 5), 2, ((1, 0), (2, 2)), groups=2, dtype=dtype)
        x = jnp.asarray(operands([(2, 8, 9, 4)])[0], jnp.float32)
        params = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
        want = jnp.float64 if dtype is jnp.float64 else jnp.float32
        assert {name: (leaf.shape, leaf.dtype) for name, leaf in params.items()} == {
            "kernel": ((3, 5, 2, 8), want),
            "bias": ((8,), want),
        }
        assert jax.eval_shape(lambda p: layer.apply({"params": p}, x), params).dtype == dtype
        gradients = jax.eval_shape(
            jax.grad(lambda p: layer.apply({"params": p}, x).astype(jnp.float32).sum()), params
        )
        assert all(gradient.dtype == want for gradient in gradients.values())


def test_bias_is_added_to_every_position_and_can_be_left_out():
    x = jnp.ones((1, 3, 3, 1))
    layer = Conv(2, 3, padding=1)
    params = {"kernel": jnp.zeros((3, 3, 1, 2)), "bias": jnp.array([1.0, -2.0])}
    y = layer.apply({"params": params}, x)
    np.testing.assert_array_equal(y, jnp.broadcast_to(params["bias"], (1, 3, 3, 2)))
    assert (
        "bias"
        not in jax.eval_shape(Conv(2, 3, use_bias=False).init, jax.random.key(0), x)["params"]
    )
