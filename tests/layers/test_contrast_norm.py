import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.contrast_norm import contrast_norm
from tests.layers import references


def images(shape=(2, 7, 6, 3)):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(("window", "std"), [(9, 2.25), (3, 0.8), (1, 1.0)])
def test_equals_plain_loops(window, std):
    with jax.enable_x64(True):
        got = contrast_norm(jnp.asarray(images()), window, std)
    want = references.contrast_norm(images(), window, std, 1e-4)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_gradient_against_finite_differences():
    with jax.enable_x64(True):
        x = jnp.asarray(images((1, 4, 4, 2)))
        check_grads(jax.jit(lambda x: contrast_norm(x, 3, 1.0)), [x], order=1, modes=["rev"])


def test_brightness_and_contrast_do_not_matter_and_even_images_give_zeros():
    x = jnp.asarray(images(), jnp.float32)
    norm = jax.jit(contrast_norm)
    np.testing.assert_allclose(norm(x * 3 + 20), norm(x), atol=1e-4)
    even = jnp.full(x.shape, 7.0)
    np.testing.assert_allclose(norm(even), 0, atol=0.1)
    assert jnp.isfinite(jax.jit(jax.grad(lambda x: contrast_norm(x).sum()))(even)).all()


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="window of 4 pixels: must be odd"):
        contrast_norm(jnp.zeros((1, 8, 8, 1)), 4)
