import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.layers.radial_basis import squared_distances


def test_equals_plain_loops():
    generator = np.random.default_rng(0)
    x, centres = generator.normal(size=(4, 6)), generator.choice([-1, 1], (3, 6)).astype(np.int8)
    want = [[((row - centre) ** 2).sum() for centre in centres] for row in x]
    np.testing.assert_allclose(squared_distances(np.float32(x), centres), want, rtol=1e-6)
    with jax.enable_x64(True):
        got = squared_distances(jnp.asarray(x), centres)
    assert got.dtype == jnp.float64
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_zero_at_a_centre_and_exact_beside_it():
    x = jnp.asarray([[1.0, -1.0], [1.0 + 2**-12, -1.0]])
    got = squared_distances(x, np.array([[1.0, -1.0]]))
    np.testing.assert_array_equal(got, [[0.0], [2.0**-24]])


def test_bfloat16_features_are_measured_in_float32():
    x = jnp.ones((2, 84), jnp.bfloat16)
    assert squared_distances(x, -np.ones((3, 84))).dtype == jnp.float32


def test_widths_must_agree():
    with pytest.raises(ValueError, match="3 features and centres of 4"):
        squared_distances(jnp.zeros((1, 3)), np.zeros((2, 4)))
