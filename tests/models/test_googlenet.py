"""GoogLeNet: heads in training alone, the order of the towers, what the variants differ in."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.googlenet import Head, Inception
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.models.layered import Published

IMAGES = jax.ShapeDtypeStruct((2, 96, 96, 3), jnp.float32)


def build(**kwargs: Any) -> models.Network:
    return models.build("googlenet", num_classes=10, **({"width": 0.05} | kwargs))


def initialise(model: models.Network) -> Any:
    return jax.eval_shape(model.init, jax.random.key(0), IMAGES)


def predict(model: models.Network, train: bool) -> models.Prediction:
    def forward(variables: Any, images: jax.Array) -> Any:
        rngs = {"dropout": jax.random.key(0)}
        return model.apply(variables, images, train=train, rngs=rngs, mutable=["batch_stats"])[0]

    return jax.eval_shape(forward, initialise(model), IMAGES)


def rows(variant: str, **kwargs: Any) -> dict[str, Row]:
    table = layer_table(build(variant=variant, **kwargs), (224, 224, 3))
    return {row.name: row for row in table}


@pytest.mark.parametrize("variant", ["paper", "torchvision", "bn_5x5"])
def test_heads_run_in_training_alone(variant: str) -> None:
    model = build(variant=variant, dtype="bfloat16", modules=(1, 4, 1))
    assert predict(model, train=False).auxiliary == {}
    heads = predict(model, train=True).auxiliary
    assert {name: (logits.shape, logits.dtype) for name, logits in heads.items()} == {
        "aux1": ((2, 10), jnp.float32),
        "aux2": ((2, 10), jnp.float32),
    }
    assert {"aux1", "aux2"} < initialise(model)["params"].keys()


def test_without_heads() -> None:
    model = build(auxiliary=False, modules=(1, 1, 1))
    assert predict(model, train=True).auxiliary == {}
    assert not [name for name in initialise(model)["params"] if name.startswith("aux")]
    assert model.published.dropout == {"pool5": 0.4}
    with pytest.raises(InputError, match="no dropout there"):
        build(auxiliary=False, dropout_rate={"aux1/fc": 0.5})


def test_a_head_goes_with_the_module_below_it() -> None:
    for modules, heads in [((1, 1, 1), ["aux1"]), ((1, 4, 1), ["aux1", "aux2"])]:
        model = build(modules=modules)
        assert list(predict(model, train=True).auxiliary) == heads
        inside = [name for name in initialise(model)["params"] if name.startswith("inception")]
        assert len(inside) == sum(modules)
    with pytest.raises(InputError, match=r"modules = \(2, 6, 2\): give 3 numbers, 1 to 2, 1 to 5"):
        build(modules=(2, 6, 2))


def test_towers_stand_in_the_order_of_the_paper() -> None:
    values = {"1x1": 1, "3x3": 2, "5x5": 3, "pool_proj": 4}
    biases = {name: f"constant(value={value})" for name, value in values.items()}
    told = Published(kernel_init={"*": "zeros"}, bias_init={"*": "zeros", **biases})
    module = Inception(widths=(1, 1, 2, 1, 3, 4), whole=told)
    out, _ = module.init_with_output(jax.random.key(0), jnp.ones((1, 3, 3, 2)), train=False)
    np.testing.assert_array_equal(out[0, 1, 1], [1, 2, 2, 3, 3, 3, 4, 4, 4, 4])


def test_variants_differ_in_normalisation_filters_and_pooling() -> None:
    paper, torchvision, with_5x5 = map(rows, ("paper", "torchvision", "bn_5x5"))
    names = list(paper)
    for stage in (["pool1", "norm1"], ["conv2", "norm2", "pool2"]):
        assert names[names.index(stage[0]) :][: len(stage)] == stage
    for table in (torchvision, with_5x5):
        assert "norm1" not in table and "conv1_bn" in table
        assert table["pool4"].kernel == (2, 2)
    kernels = [table["inception_4c/5x5"].kernel for table in (paper, torchvision, with_5x5)]
    assert kernels == [(5, 5), (3, 3), (5, 5)]
    assert paper["pool4"].kernel == (3, 3)
    sizes = [paper[f"pool{i}"].output[0] for i in range(1, 5)]
    assert sizes == [56, 28, 14, 7] == [torchvision[f"pool{i}"].output[0] for i in range(1, 5)]
    assert paper["aux1/pool"].output[:2] == torchvision["aux1/pool"].output[:2] == (4, 4)


def test_head_of_torchvision_pools_to_4x4_bins_that_overlap() -> None:
    images = jax.random.normal(jax.random.key(0), (2, 14, 9, 3))
    head = Head(adaptive=True)
    pooled = head.apply({}, "pool", images, 4, method="adaptive_average_pool")
    rows, columns = [(0, 4), (3, 7), (7, 11), (10, 14)], [(0, 3), (2, 5), (4, 7), (6, 9)]
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            want = images[:, top:bottom, left:right].mean((1, 2))
            np.testing.assert_allclose(pooled[:, i, j], want, rtol=1e-5, atol=1e-6)


def test_images_too_small_for_the_heads_are_named() -> None:
    images = jnp.zeros((1, 64, 64, 3))
    with pytest.raises(InputError, match="head aux1 needs maps of at least 5x5, these are 4x4"):
        jax.eval_shape(build().init, jax.random.key(0), images)
    for model in (build(auxiliary=False), build(variant="torchvision")):
        jax.eval_shape(model.init, jax.random.key(0), images)


def test_first_weights_of_the_paper_variant() -> None:
    model = build(modules=(1, 1, 1))
    params = init_variables(model, jax.random.key(0), (1, 96, 96, 3), train=False)["params"]
    for layer in (params["conv1"], params["inception_3a"]["5x5"], params["aux1"]["fc"]):
        np.testing.assert_allclose(layer["bias"], 0.2, rtol=1e-6)
    for layer in (params["linear"], params["aux1"]["linear"]):
        assert not layer["bias"].any()
    fan_in = 7 * 7 * 3
    largest = float(jnp.abs(params["conv1"]["kernel"]).max())
    assert 0.95 * (3 / fan_in) ** 0.5 < largest <= (3 / fan_in) ** 0.5
    models.check_layer_names(build(kernel_init={"inception_3a": "zeros", "aux1": "ones"}), params)
