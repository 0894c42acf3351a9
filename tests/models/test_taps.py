import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from cnn_jax.layers.dense import Dense
from cnn_jax.models.layered import tap


class Stage(nn.Module):
    name_of_tap: str = "conv2"

    @nn.compact
    def __call__(self, x):
        return tap(self, self.name_of_tap, Dense(3, name="inner")(x))


class Network(nn.Module):
    second: str = "conv2"

    @nn.compact
    def __call__(self, x):
        x = tap(self, "conv1", Dense(4, name="conv1")(x))
        return Stage(self.second, name="conv2")(x)


def test_taps_lie_at_the_root_under_the_papers_names():
    x = jnp.ones((1, 2))
    variables = Network().init(jax.random.key(0), x)
    assert set(variables) == {"params"}
    y, state = Network().apply(variables, x, mutable=["taps"])
    assert {name: value.shape for name, value in state["taps"].items()} == {
        "conv1": (1, 4),
        "conv2": (1, 3),
    }
    assert (state["taps"]["conv2"] == y).all()
    assert (Network().apply(variables, x) == y).all()


def test_nothing_is_left_in_the_program_unless_asked():
    x = jnp.ones((1, 2))
    variables = Network().init(jax.random.key(0), x)
    outputs = jax.make_jaxpr(lambda v: Network().apply(v, x))(variables).jaxpr.outvars
    assert len(outputs) == 1


def test_a_name_used_twice_is_refused():
    x = jnp.ones((1, 2))
    variables = Network("conv1").init(jax.random.key(0), x)
    with pytest.raises(ValueError, match="tap 'conv1' is recorded twice"):
        Network("conv1").apply(variables, x, mutable=["taps"])
