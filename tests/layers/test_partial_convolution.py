import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.initializers.fixed import lecun_1998_uniform
from cnn_jax.layers.convolution import Conv
from cnn_jax.layers.partial_convolution import PartialConv
from tests.layers import references

SOME = ((2, 0), (1,), (0, 1, 2))
ALL = ((0, 1, 2),) * 4


def operands(connections, size=(3, 2)):
    generator = np.random.default_rng(0)
    pairs = sum(map(len, connections))
    shapes = (2, 5, 6, 3), (*size, pairs), (len(connections),)
    return [generator.normal(size=shape) for shape in shapes]


def apply(layer, x, kernel, bias):
    return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)


def test_each_map_is_the_sum_over_what_it_sees():
    x, kernel, bias = operands(SOME)
    want, filters = [], list(np.moveaxis(kernel, -1, 0))
    for seen, offset in zip(SOME, bias, strict=True):
        maps = [
            references.convolution(
                x[..., [i]], filters.pop(0)[..., None, None], (1, 1), ((0, 0), (0, 0)), (1, 1), 1
            )
            for i in seen
        ]
        want.append(sum(maps) + offset)
    with jax.enable_x64(True):
        got = apply(PartialConv(SOME, (3, 2), dtype=jnp.float64), jnp.asarray(x), kernel, bias)
    np.testing.assert_allclose(got, np.concatenate(want, axis=-1), rtol=1e-10)


def test_with_all_connections_it_is_a_convolution():
    x, kernel, bias = (np.float32(each) for each in operands(ALL))
    dense = kernel.reshape(3, 2, 4, 3).swapaxes(2, 3)
    params = {"kernel": dense, "bias": bias}
    np.testing.assert_allclose(
        apply(PartialConv(ALL, (3, 2)), x, kernel, bias),
        Conv(4, (3, 2)).apply({"params": params}, x),
        rtol=1e-6,
    )


def test_gradients_against_finite_differences():
    with jax.enable_x64(True):
        layer = PartialConv(SOME, (3, 2), dtype=jnp.float64)
        given = tuple(map(jnp.asarray, operands(SOME)))
        check_grads(lambda *given: apply(layer, *given), given, order=1, modes=["rev"])


def test_a_map_is_drawn_with_its_own_fan_in():
    connections = ((0,), (0, 1, 2, 3)) * 100
    layer = PartialConv(connections, 5, kernel_init=lecun_1998_uniform())
    params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 5, 4)))["params"]
    assert params["kernel"].shape == (5, 5, 500) and params["bias"].shape == (200,)
    drawn = np.abs(np.moveaxis(params["kernel"], -1, 0).reshape(100, 5, 25))
    for filters, inputs in ((drawn[:, 0], 1), (drawn[:, 1:], 4)):
        bound = 2.4 / (25 * inputs)
        assert 0.99 * bound < filters.max() <= bound
        assert filters.mean() == pytest.approx(bound / 2, rel=0.05)
    assert len(np.unique(drawn[:, 0])) > 2_400


@pytest.mark.parametrize(
    ("connections", "message"),
    [
        (((0, 3),), r"input maps \[3\]; there are 3"),
        (((0, 0),), "none twice"),
        (((), ()), "at least one pair"),
    ],
)
def test_connections_that_cannot_be(connections, message):
    with pytest.raises(ValueError, match=message):
        PartialConv(connections, 1).init(jax.random.key(0), jnp.zeros((1, 4, 4, 3)))
