"""The truth table of the backward rules: every sign of x with every sign of the signal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.layers.bypassed import bypassed
from cnn_jax.layers.rectified import deconvnet_relu, guided_relu

SIGNS = np.array([-2.0, -0.0, 0.0, 3.0], np.float32)
X, SIGNAL = (grid.ravel() for grid in np.meshgrid(SIGNS, SIGNS))
LET_THROUGH = {
    jax.nn.relu: X > 0,
    guided_relu: (X > 0) & (SIGNAL > 0),
    deconvnet_relu: SIGNAL > 0,
}


@pytest.mark.parametrize("rectifier", LET_THROUGH)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_goes_back(rectifier, dtype):
    x, signal = jnp.asarray(X, dtype), jnp.asarray(SIGNAL, dtype)
    y, pull = jax.vjp(rectifier, x)
    assert y.dtype == x.dtype and (y == jnp.maximum(x, 0)).all()
    assert (pull(signal)[0] == jnp.where(LET_THROUGH[rectifier], signal, 0)).all()


def test_around_an_operation():
    x = jnp.array([0.3, -0.7])
    y, pull = jax.vjp(lambda x: bypassed(x, jnp.exp(x)), x)
    assert (y == jnp.exp(x)).all(), "bit for bit"
    assert pull(jnp.array([2.0, 5.0]))[0].tolist() == [2.0, 5.0]
