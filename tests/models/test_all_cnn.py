"""All-CNN: the layers of each variant, as Tables 1 and 2 have them."""

import jax
import jax.numpy as jnp
import pytest

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import layer_table

# Sizes of the filters up to the third stage, * where the maps become smaller, max where they pool.
FIRST_STAGES = {
    "A": "5 3* 5 3*",
    "B": "5 1 3* 5 1 3*",
    "C": "3 3 3* 3 3 3*",
    "base_A": "5 max* 5 max*",
    "base_B": "5 1 max* 5 1 max*",
    "base_C": "3 3 max* 3 3 max*",
    "strided_A": "5* 5*",
    "strided_B": "5 1* 5 1*",
    "strided_C": "3 3* 3 3*",
    "convpool_A": "5 3 max* 5 3 max*",
    "convpool_B": "5 1 3 max* 5 1 3 max*",
    "convpool_C": "3 3 3 max* 3 3 3 max*",
}


@pytest.mark.parametrize("variant", FIRST_STAGES)
def test_layers(variant: str) -> None:
    model = models.build("all_cnn", num_classes=10, variant=variant, width=0.1)
    rows = [row for row in layer_table(model, (32, 32, 3)) if row.kind in ("conv", "max_pool")]
    words, smaller = [], []
    for row in rows:
        assert row.kernel is not None and row.strides is not None
        halves = row.strides == (2, 2)
        size = "max" if row.kind == "max_pool" else str(row.kernel[0])
        words.append(size + "*" * halves)
        smaller += [(row.name, row.output[0])] if halves else []
    assert " ".join(words) == f"{FIRST_STAGES[variant]} 3 1 1"
    assert [size for _, size in smaller] == [16, 8]
    assert [row.output[0] for row in rows[-3:]] == [6, 6, 6]
    convolutions = [row.name for row in rows if row.kind == "conv"]
    assert convolutions == [f"conv{i + 1}" for i in range(len(convolutions))]
    assert model.published.dropout == {"input": 0.2} | {name: 0.5 for name, _ in smaller}
    assert f"{convolutions[-1]}" in model.published.kernel_init


def test_dropout_reaches_the_image() -> None:
    model = models.build("all_cnn", num_classes=10, width=0.02)
    names = [row.name for row in layer_table(model, (32, 32, 3)) if row.kind == "dropout"]
    assert names == ["input_dropout", "conv3_dropout", "conv6_dropout"]


def test_classes_start_above_their_relu_and_have_no_batch_norm() -> None:
    model = models.build("all_cnn", num_classes=10, width=0.2)
    variables = init_variables(model, jax.random.key(0), (1, 16, 16, 3), train=False)
    images = jax.random.normal(jax.random.key(1), (4, 16, 16, 3))
    prediction, state = jax.jit(lambda v: model.apply(v, images, mutable=["taps"]))(variables)
    assert float(state["taps"]["conv9"].min()) > 0
    assert prediction.logits.shape == (4, 10)
    normed = models.build("all_cnn", num_classes=10, width=0.2, norm="batch")
    params = jax.eval_shape(normed.init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    assert "conv8_bn" in params and "conv9_bn" not in params
