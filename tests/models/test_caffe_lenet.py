"""Caffe's LeNet: its one nonlinearity, and its initialisation."""

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.layers.pooling import max_pool


def test_only_ip1_has_a_nonlinearity() -> None:
    model = models.build("caffe_lenet", num_classes=10, width=0.2)
    variables = init_variables(model, jax.random.key(0), (1, 28, 28, 1), train=False)
    images = jax.random.normal(jax.random.key(1), (2, 28, 28, 1))
    prediction, state = jax.jit(lambda v: model.apply(v, images, mutable=["taps"]))(variables)
    taps = state["taps"]
    for i in (1, 2):
        np.testing.assert_array_equal(taps[f"pool{i}"], max_pool(taps[f"conv{i}"], 2))
        assert float(taps[f"pool{i}"].min()) < 0
    ip2 = variables["params"]["ip2"]
    want = jnp.maximum(taps["ip1"], 0) @ ip2["kernel"] + ip2["bias"]
    np.testing.assert_allclose(prediction.logits, want, rtol=1e-4, atol=1e-5)


def test_first_weights_are_caffes_xavier() -> None:
    model = models.build("caffe_lenet", num_classes=10)
    params = init_variables(model, jax.random.key(0), (1, 28, 28, 1), train=False)["params"]
    for name, fan_in in {"conv1": 25, "conv2": 500, "ip1": 800, "ip2": 500}.items():
        bound = (3 / fan_in) ** 0.5
        assert 0.95 * bound < float(jnp.abs(params[name]["kernel"]).max()) <= bound, name
        assert not params[name]["bias"].any()


def test_batch_norm_stands_before_the_nonlinearity_alone() -> None:
    model = models.build("caffe_lenet", num_classes=10, norm="batch")
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]
    assert [name for name in params if name.endswith("_bn")] == ["ip1_bn"]
    assert all("bias" in params[name] for name in ("conv1", "conv2"))
