import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.initializers import build
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.layers.batch_norm import BatchNorm
from cnn_jax.layers.convolution import Conv
from cnn_jax.layers.dense import Dense
from cnn_jax.layers.dropout import Dropout

KEY = jax.random.key(0)
SHAPE = (2, 8, 8, 3)


class Block(nn.Module):
    features: int

    def setup(self):
        self.gain = self.param("gain", build("constant(value=0.5)"), ())
        self.conv = Conv(self.features, 3, padding=1, kernel_init=build("he_normal"))

    def __call__(self, x):
        return self.gain * self.conv(x)


class Network(nn.Module):
    more: bool = False

    @nn.compact
    def __call__(self, x, train):
        x = Block(4, name="conv1")(x)
        if self.more:
            x = nn.relu(Block(4, name="conv2")(x))
        x = BatchNorm(name="norm", scale_init=build("zeros"))(x, train)
        x = nn.remat(Dense)(5, kernel_init=build("gaussian(std=0.1)"), name="fc")(x.mean((1, 2)))
        return nn.Dense(2, name="foreign")(Dropout(0.5)(x, train))


def test_tree_is_that_of_linen_and_each_leaf_has_its_own_initialiser():
    variables = init_variables(Network(), KEY, SHAPE, train=True)
    linens = jax.eval_shape(
        lambda: Network().init({"params": KEY, "dropout": KEY}, jnp.zeros(SHAPE), True)
    )
    assert jax.tree.map(lambda a: (a.shape, a.dtype), variables) == jax.tree.map(
        lambda a: (a.shape, a.dtype), dict(linens)
    )
    params = variables["params"]
    assert params["conv1"]["gain"] == 0.5
    assert (params["norm"]["scale"] == 0).all()
    assert (variables["batch_stats"]["norm"]["var"] == 1).all()
    assert 0.05 < float(params["fc"]["kernel"].std()) < 0.2
    y = Network().apply(variables, jnp.ones(SHAPE), train=False)
    assert y.shape == (2, 2)


def test_a_leaf_depends_on_the_key_and_its_path_alone():
    small = init_variables(Network(), KEY, SHAPE, train=False)["params"]
    large = init_variables(Network(more=True), KEY, SHAPE, train=True)["params"]
    for path in (("conv1", "conv"), ("fc",), ("foreign",)):
        ours, theirs = small, large
        for name in path:
            ours, theirs = ours[name], theirs[name]
        np.testing.assert_array_equal(ours["kernel"], theirs["kernel"])
    other = init_variables(Network(), jax.random.key(1), SHAPE, train=False)["params"]
    assert (small["fc"]["kernel"] != other["fc"]["kernel"]).any()


def test_equal_shapes_are_drawn_apart_and_twice_alike():
    class Twins(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Dense(3, name="a")(x) + Dense(3, name="b")(x)

    first, again = (init_variables(Twins(), KEY, (1, 4))["params"] for _ in range(2))
    assert (first["a"]["kernel"] != first["b"]["kernel"]).any()
    np.testing.assert_array_equal(first["a"]["kernel"], again["a"]["kernel"])


def test_without_batch_statistics_the_collection_is_empty():
    assert init_variables(Dense(3), KEY, (1, 4))["batch_stats"] == {}


def test_a_leaf_that_a_lifted_transform_reshapes_is_refused():
    class Scanned(nn.Module):
        @nn.compact
        def __call__(self, x):
            body = nn.scan(
                lambda layer, x, _: (layer(x), None),
                variable_axes={"params": 0},
                split_rngs={"params": True},
                length=3,
            )
            return body(Dense(4, name="fc"), x, None)[0]

    with pytest.raises(ValueError, match=r"params/fc/\w+ is float32\[3, 4.*inside nn.scan"):
        init_variables(Scanned(), KEY, (1, 4))
