import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.activations import ACTIVATIONS, PReLU, activation, maxout

REFERENCES = {
    "linear": lambda x: x,
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 / 3 * x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "very_leaky_relu": lambda x: np.where(x > 0, x, 0.333 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "maxout": lambda x: np.maximum(x[..., 0::2], x[..., 1::2]),
}
X = np.array([[-3.0, -0.5, 0.25, 2.0, -1.0, 4.0]])


def test_every_activation_has_a_reference():
    assert set(REFERENCES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_gradient(name):
    with jax.enable_x64(True):
        function = activation(name)
        np.testing.assert_allclose(function(jnp.asarray(X)), REFERENCES[name](X), rtol=1e-12)
        check_grads(function, [jnp.asarray(X)], order=1)
    assert function(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


def test_scaled_tanh_maps_one_to_one():
    assert float(activation("scaled_tanh")(jnp.float32(1))) == pytest.approx(1, abs=1e-4)


def test_maxout_pieces():
    np.testing.assert_array_equal(maxout(jnp.asarray(X), 3), [[0.25, 4.0]])
    with pytest.raises(ValueError, match="4 pieces do not divide 6 channels"):
        maxout(jnp.asarray(X), 4)


@pytest.mark.parametrize(("shared", "shape"), [(True, ()), (False, (6,))])
def test_prelu(shared, shape):
    with jax.enable_x64(True):
        layer = PReLU(shared=shared, dtype=jnp.float64)
        variables = layer.init(jax.random.key(0), jnp.asarray(X))
        slope = variables["params"]["slope"]
        assert slope.shape == shape
        y = layer.apply(variables, jnp.asarray(X))
        np.testing.assert_allclose(y, np.where(X > 0, X, 0.25 * X))
        check_grads(
            lambda slope, x: layer.apply({"params": {"slope": slope}}, x),
            (slope, jnp.asarray(X)),
            order=1,
        )


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="'rleu' is unknown; did you mean 'relu'"):
        activation("rleu")
