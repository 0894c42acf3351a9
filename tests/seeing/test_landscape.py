"""The loss around a network does not change where the network does not."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.seeing.landscape import direction, moved

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((8, 5)), jnp.float32)
PARAMS = {
    name: {
        "kernel": jnp.asarray(RNG.standard_normal(shape), jnp.float32),
        "bias": jnp.asarray(RNG.standard_normal(shape[-1:]), jnp.float32),
    }
    for name, shape in {"a": (5, 7), "b": (7, 4)}.items()
}


def loss(params: Any) -> float:
    hidden = jax.nn.relu(X @ params["a"]["kernel"] + params["a"]["bias"])
    return float(((hidden @ params["b"]["kernel"] + params["b"]["bias"]) ** 2).mean())


def test_filters_have_the_norms_of_the_network_and_biases_stay() -> None:
    kernel = jnp.asarray(RNG.standard_normal((3, 3, 2, 6)), jnp.float32)
    found = direction({"kernel": kernel, "bias": jnp.ones(6), "scale": jnp.float32(2)}, KEY)
    norms = [jnp.sqrt((x**2).sum((0, 1, 2))) for x in (found["kernel"], kernel)]
    np.testing.assert_allclose(*norms, rtol=1e-5)
    assert not found["bias"].any() and not found["scale"].any()
    cosine = (found["kernel"] * kernel).sum() / (kernel**2).sum()
    assert abs(float(cosine)) < 0.9, "it is a direction of its own"


KEY = jax.random.key(0)


@pytest.mark.parametrize("factor", [0.01, 1.0, 30.0])
def test_rescaling_two_layers_changes_nothing(factor: float) -> None:
    """By c and 1 / c: a rectifier network is the same, and so is all around it."""
    scaled = {
        "a": jax.tree.map(lambda x: x * factor, PARAMS["a"]),
        "b": {"kernel": PARAMS["b"]["kernel"] / factor, "bias": PARAMS["b"]["bias"]},
    }
    here, there = (
        [
            loss(moved(p, direction(p, KEY), direction(p, jax.random.key(1)), a, b))
            for a, b in POINTS
        ]
        for p in (PARAMS, scaled)
    )
    np.testing.assert_allclose(there, here, rtol=1e-3)
    assert here[0] == loss(PARAMS) and len(set(here)) == len(here)


POINTS = ((0.0, 0.0), (0.5, 0.0), (-1.0, 0.5), (0.3, -0.7))


def test_a_dead_filter_has_a_finite_direction() -> None:
    params = {"kernel": jnp.zeros((3, 2)), "bias": jnp.zeros(2)}
    assert not jnp.isnan(direction(params, KEY)["kernel"]).any()


def test_the_network_itself_must_be_a_point() -> None:
    from cnn_jax.seeing.landscape import landscape

    with pytest.raises(InputError, match="an odd number"):
        landscape(None, {}, None, None, points=4)  # type: ignore[arg-type]
