"""Network in Network: its pooling, and class maps that have a nonlinearity but no batch norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import layer_table


def test_poolings() -> None:
    model = models.build("nin", num_classes=10, width=0.1)
    rows = {row.name: row for row in layer_table(model, (32, 32, 3))}
    found = {name: (row.kind, row.output[0]) for name, row in rows.items() if "pool" in row.kind}
    assert found == {
        "pool1": ("max_pool", 16),
        "pool2": ("max_pool", 8),
        "gap": ("global_average_pool", 10),
    }
    assert [name for name in rows if name.endswith("_dropout")] == [
        "pool1_dropout",
        "pool2_dropout",
    ]


def test_logits_are_averages_of_the_class_maps_behind_their_relu() -> None:
    knobs = {"kernel_init": "he_normal", "bias_init": "zeros"}
    model = models.build("nin", num_classes=4, width=0.05, **knobs)
    variables = init_variables(model, jax.random.key(0), (1, 8, 8, 3), train=False)
    images = jax.random.normal(jax.random.key(1), (3, 8, 8, 3))
    prediction, state = jax.jit(lambda v: model.apply(v, images, mutable=["taps"]))(variables)
    maps = state["taps"]["cccp6"]
    assert float(maps.min()) < 0
    np.testing.assert_allclose(prediction.logits, jnp.maximum(maps, 0).mean((1, 2)), rtol=1e-5)


def test_no_class_starts_below_its_relu() -> None:
    model = models.build("nin", num_classes=10, width=0.5)
    variables = init_variables(model, jax.random.key(0), (1, 8, 8, 3), train=False)
    images = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    _, state = jax.jit(lambda v: model.apply(v, images, mutable=["taps"]))(variables)
    assert float(state["taps"]["cccp6"].min()) > 0


@pytest.mark.parametrize(("activation", "filters"), [("relu", 7), ("maxout", 14)])
def test_classes_have_no_batch_norm(activation: str, filters: int) -> None:
    model = models.build("nin", num_classes=7, width=0.1, norm="batch", activation=activation)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))["params"]
    assert {name for name in params if f"{name}_bn" not in params and "_bn" not in name} == {
        "cccp6"
    }
    assert params["cccp6"]["bias"].shape == (filters,)
