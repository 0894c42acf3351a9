import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cnn_jax.layers.dense import Dense


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float64])
def test_value_parameters_and_dtype(dtype):
    with jax.enable_x64(dtype is jnp.float64):
        layer = Dense(3, dtype=dtype)
        x = jnp.arange(8.0).reshape(2, 4)
        params = {"kernel": jnp.ones((4, 3)), "bias": jnp.full(3, 2.0)}
        shapes = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
        wide = jnp.promote_types(dtype, jnp.float32)
        assert {name: (leaf.shape, leaf.dtype) for name, leaf in shapes.items()} == {
            "kernel": ((4, 3), wide),
            "bias": ((3,), wide),
        }
        y = layer.apply({"params": params}, x)
        assert y.dtype == dtype
        want = np.asarray(x) @ np.ones((4, 3)) + 2
        np.testing.assert_allclose(y.astype(jnp.float32), want, rtol=0.03, atol=0.03)


def test_gradient_against_finite_differences():
    with jax.enable_x64(True):
        layer = Dense(3, dtype=jnp.float64)
        generator = np.random.default_rng(0)
        x, kernel, bias = (jnp.asarray(generator.normal(size=s)) for s in ((2, 4), (4, 3), 3))

        @jax.jit
        def run(x, kernel, bias):
            return layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)

        check_grads(run, (x, kernel, bias), order=1)
