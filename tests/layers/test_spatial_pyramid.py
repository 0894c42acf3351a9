import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.pooling import max_pool
from cnn_jax.layers.spatial_pyramid import spatial_pyramid_pool
from tests.layers import references


@pytest.mark.parametrize("image", [(13, 13), (7, 10), (4, 3), (1, 2)])
def test_equals_plain_loops_on_any_size(image):
    x = np.random.default_rng(0).normal(size=(2, *image, 3))
    with jax.enable_x64(True):
        for pooling, reduce in (("max", np.max), ("average", np.mean)):
            run = jax.jit(lambda x, word=pooling: spatial_pyramid_pool(x, (3, 2, 1), word))
            got = run(jnp.asarray(x))
            want = references.spatial_pyramid(x, (3, 2, 1), reduce)
            np.testing.assert_allclose(got, want, rtol=1e-12)


def test_the_papers_pyramid_on_13x13_is_a_sliding_window():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 13, 13, 2)), jnp.float32)
    levels = {6: (3, 2), 3: (5, 4), 2: (7, 6), 1: (13, 13)}
    want = [max_pool(x, window, stride).reshape(1, -1) for window, stride in levels.values()]
    got = jax.jit(spatial_pyramid_pool)(x)
    assert got.shape == (1, 50 * 2)
    np.testing.assert_array_equal(got, jnp.concatenate(want, -1))


def test_gradient_against_finite_differences():
    with jax.enable_x64(True):
        x = jnp.asarray((np.random.default_rng(0).permutation(25) * 1.0).reshape(1, 5, 5, 1))
        check_grads(jax.jit(lambda x: spatial_pyramid_pool(x, (2, 1))), [x], 1, modes=["rev"])


def test_errors_say_what_is_allowed():
    x = jnp.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match="'maximum': allowed are max, average"):
        spatial_pyramid_pool(x, pooling="maximum")
    with pytest.raises(ValueError, match=r"levels \(2, 0\)"):
        spatial_pyramid_pool(x, (2, 0))
