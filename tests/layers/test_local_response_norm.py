import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.local_response_norm import local_response_norm
from tests.layers import references


def images(channels=7):
    return np.random.default_rng(0).normal(size=(2, 3, 2, channels)) * 10


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_equals_plain_loops_in_both_parameterisations(size):
    x = images()
    with jax.enable_x64(True):
        paper = local_response_norm(jnp.asarray(x), size, 2.0, 0.1, 0.75)
        caffe = local_response_norm(jnp.asarray(x), size, 1.0, 0.1, 0.75, True)
    want = references.local_response_norm(x, size, 2.0, 0.1, 0.75)
    np.testing.assert_allclose(paper, want, rtol=1e-12)
    want = references.local_response_norm(x, size, 1.0, 0.1 / size, 0.75)
    np.testing.assert_allclose(caffe, want, rtol=1e-12)


def test_gradient_against_finite_differences():
    with jax.enable_x64(True):
        x = jnp.asarray(images(4))
        check_grads(
            jax.jit(lambda x: local_response_norm(x, 3, alpha=0.1)), [x], order=1, modes=["rev"]
        )


def test_defaults_are_the_papers():
    x = jnp.full((1, 1, 1, 5), 100.0)
    # Five channels of 100: 2 + 1e-4 * 5 * 100^2 = 7 in the middle.
    assert float(local_response_norm(x)[0, 0, 0, 2]) == pytest.approx(100 / 7**0.75, rel=1e-6)


def test_dtype_is_kept_and_the_sum_is_wide():
    x = jnp.asarray(images(), jnp.bfloat16)
    y = local_response_norm(x)
    assert y.dtype == jnp.bfloat16
    wide = local_response_norm(x.astype(jnp.float32))
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))


def test_an_even_size_is_refused():
    with pytest.raises(ValueError, match="over 4 channels: must be odd"):
        local_response_norm(jnp.zeros((1, 1, 1, 8)), 4)
