import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.batch_view import BatchView
from cnn_jax.layers.dropout import Dropout

KEY = jax.random.key(3)


@jax.jit
def masked(x, rate, first=0, key=KEY):
    layer = Dropout(rate, BatchView(first_position=first))
    return layer.apply({}, x, True, rngs={"dropout": key})


def drop(layer, x):
    return layer.apply({}, x, True, rngs={"dropout": KEY})


def test_masks_do_not_depend_on_how_the_batch_is_divided():
    x = jnp.ones((8, 5, 3))
    whole = masked(x, 0.5)
    halves = [masked(x[:4], 0.5, first) for first in (0, 4)]
    np.testing.assert_array_equal(whole, jnp.concatenate(halves))

    def on_a_device(x):
        return drop(Dropout(0.5, BatchView("device", jax.lax.axis_index("device") * 2)), x)

    mapped = jax.jit(jax.vmap(on_a_device, axis_name="device"))(x.reshape(4, 2, 5, 3))
    np.testing.assert_array_equal(whole, mapped.reshape(8, 5, 3))


def test_masks_differ_between_examples_keys_and_layers():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Dropout(0.5, name="drop6")(x, True), Dropout(0.5, name="drop7")(x, True)

    x = jnp.ones((2, 64))
    first, second = Two().apply({}, x, rngs={"dropout": KEY})
    assert (first[0] != first[1]).any()
    assert (first != second).any()
    assert (first != Two().apply({}, x, rngs={"dropout": jax.random.key(4)})[0]).any()


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_share_and_scale(rate):
    x = jnp.ones((16, 4096))
    y = np.asarray(masked(x, rate))
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-6)
    # Five standard deviations of a share of 65,536.
    assert abs((y == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / y.size)


def test_a_traced_rate_equals_the_number_and_compiles_once():
    x = jnp.ones((4, 32))
    before = masked._cache_size()
    for rate in (0.0, 0.25, 0.5):
        static = jax.jit(lambda x, rate=rate: drop(Dropout(rate), x))
        np.testing.assert_allclose(masked(x, rate), static(x), rtol=1e-6)
    assert masked._cache_size() == before + 1


def test_rate_0_and_evaluation_leave_nothing_in_the_program():
    x = jnp.ones((4, 8))
    for layer, train in ((Dropout(0.0), True), (Dropout(0.5), False)):
        assert not jax.make_jaxpr(lambda x, n=layer, t=train: n.apply({}, x, t))(x).eqns


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_dtype_is_kept(dtype):
    for rate in (0.5, jnp.float32(0.5)):
        assert drop(Dropout(rate), jnp.ones((2, 8), dtype)).dtype == dtype


def test_gradient_against_finite_differences():
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6)))
        check_grads(jax.jit(lambda x: drop(Dropout(0.5), x)), [x], order=1, modes=["rev"])


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, 50])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"dropout rate .* must be at least 0 and below 1"):
        drop(Dropout(rate), jnp.ones((2, 3)))
