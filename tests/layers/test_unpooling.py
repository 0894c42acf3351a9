"""Unpooling by switches: maxima go back to where they were, and nothing else does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.layers.pooling import max_pool
from cnn_jax.layers.unpooling import max_pool_switches, unpool

GEOMETRIES = {
    "2x2, a rest": {"window": 2, "rounding": "ceil"},
    "3x3 every 2, padded": {"window": 3, "strides": 2, "padding": 1},
    "2x3 every 3x1": {"window": (2, 3), "strides": (3, 1), "padding": "SAME"},
}


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_the_maxima_stand_where_the_switches_say(geometry):
    x = jnp.asarray(np.random.default_rng(0).integers(-4, 4, (2, 7, 9, 3)), jnp.float32)  # ties

    @jax.jit
    def both_ways(x):
        y, pull = jax.vjp(lambda x: max_pool(x, **geometry), x)
        switches = max_pool_switches(x, **geometry)
        put = lambda y: unpool(y, switches, x.shape[1:3], **geometry)
        return y, pull(y)[0], put(y), put(jnp.ones_like(y))

    y, gradient, back, times = both_ways(x)
    assert (back == gradient).all(), "unpooling is the gradient"
    # One value a window; a pixel that wins n windows has its own value n times.
    assert times.sum() == y.size
    assert (back == jnp.where(times > 0, x * times, 0)).all()
