"""Inception-v3: the head in training alone, the order of the towers, stems, borders, scales."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.inception_v3_modules import (
    Inception8,
    Inception17,
    Inception35,
    Reduction17,
    Reduction35,
    Towers,
)
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.models.layered import Published

# The last layers of the towers in order, with their maps; maps of the input that pass through.
ENDS: dict[type[Towers], tuple[dict[str, int], int]] = {
    Inception35: ({"branch1x1": 64, "branch5x5_2": 64, "branch3x3dbl_3": 96, "branch_pool": 64}, 0),
    Reduction35: ({"branch3x3": 384, "branch3x3dbl_3": 96}, 2),
    Inception17: (
        {"branch1x1": 192, "branch7x7_3": 192, "branch7x7dbl_5": 192, "branch_pool": 192},
        0,
    ),
    Reduction17: ({"branch3x3_2": 320, "branch7x7x3_4": 192}, 2),
    Inception8: (
        {
            "branch1x1": 320,
            "branch3x3_2a": 384,
            "branch3x3_2b": 384,
            "branch3x3dbl_3a": 384,
            "branch3x3dbl_3b": 384,
            "branch_pool": 192,
        },
        0,
    ),
}
WIDTH = 1 / 64


def build(**kwargs: Any) -> models.Network:
    return models.build(
        "inception_v3", num_classes=10, **({"width": 0.05, "modules": (1, 1, 1)} | kwargs)
    )


def predict(model: models.Network, size: int, train: bool) -> models.Prediction:
    def forward(images: jax.Array) -> Any:
        variables = model.init(jax.random.key(0), images)
        rngs = {"dropout": jax.random.key(0)}
        return model.apply(variables, images, train=train, rngs=rngs, mutable=["batch_stats"])[0]

    return jax.eval_shape(forward, jnp.zeros((1, size, size, 3)))


def rows(**kwargs: Any) -> dict[str, Row]:
    table = layer_table(build(**kwargs), (299, 299, 3))
    return {row.name: row for row in table}


@pytest.mark.parametrize("kind", ENDS)
def test_towers_stand_in_the_order_of_the_figures(kind: type[Towers]) -> None:
    ends, passed = ENDS[kind]
    biases = {name: f"constant(value={i})" for i, name in enumerate(ends, start=1)}
    told = Published(kernel_init={"*": "zeros"}, bias_init={"*": "zeros", **biases})
    module = kind(width=WIDTH, whole=told)
    images = jnp.full((1, 5, 5, 2), 99.0)
    out, _ = module.init_with_output(jax.random.key(0), images, train=False)
    sizes = [max(1, round(maps * WIDTH)) for maps in ends.values()]
    want = np.repeat([*range(1, len(ends) + 1), 99], [*sizes, passed])
    np.testing.assert_array_equal(out[0, 1, 1], want)
    assert out.shape[1] == (2 if passed else 5)


def test_towers_of_figure_7_fork() -> None:
    forks = ("branch3x3_2a", "branch3x3_2b", "branch3x3dbl_3a", "branch3x3dbl_3b")
    told = Published(
        kernel_init={"*": "zeros"} | dict.fromkeys(forks, "ones"),
        bias_init={
            "*": "zeros",
            "branch3x3_1": "constant(value=1)",
            "branch3x3dbl_2": "constant(value=10)",
        },
    )
    module = Inception8(width=WIDTH, whole=told)
    out, _ = module.init_with_output(jax.random.key(0), jnp.ones((1, 3, 3, 2)), train=False)
    maps = round(384 * WIDTH)
    # A 1x3 loses a third at the left border, a 3x1 at the upper one.
    for place, across, down in (((1, 1), 3, 3), ((1, 0), 2, 3), ((0, 1), 3, 2)):
        want = np.repeat([0, across, down, 10 * across, 10 * down, 0], [5, 6, 6, 6, 6, 3])
        np.testing.assert_array_equal(out[0, *place], maps * want)


@pytest.mark.parametrize(("count_padding", "corner"), [("valid", 1.0), ("caffe", 4 / 9)])
def test_averages_at_the_border(count_padding: str, corner: float) -> None:
    told = Published(kernel_init={"*": "zeros", "branch_pool": "ones"})
    module = Inception35(width=WIDTH, whole=told, count_padding=count_padding)
    out, _ = module.init_with_output(jax.random.key(0), jnp.ones((1, 3, 3, 1)), train=False)
    np.testing.assert_allclose(out[0, 0, 0, -1], corner, rtol=1e-6)


def test_the_head_runs_in_training_alone() -> None:
    model = build()
    assert predict(model, 299, train=False).auxiliary == {}
    assert predict(model, 299, train=True).auxiliary["aux"].shape == (1, 10)
    assert predict(build(auxiliary=False), 299, train=True).auxiliary == {}


def test_images_too_small_for_the_head_are_named() -> None:
    with pytest.raises(InputError, match="head aux needs maps of at least 17x17, these are 3x3"):
        predict(build(), 75, train=False)
    assert predict(build(auxiliary=False), 75, train=True).logits.shape == (1, 10)


def test_stems() -> None:
    released, keras, paper = (rows(variant=v) for v in ("released", "keras", "paper"))

    def stem(table: dict[str, Row]) -> list[str]:
        names = [n for n, row in table.items() if row.kind in ("conv", "max_pool")]
        return [n for n in names if "/" not in n]

    assert stem(released) == stem(keras)
    assert stem(released)[3:] == [
        "MaxPool_3a_3x3",
        "Conv2d_3b_1x1",
        "Conv2d_4a_3x3",
        "MaxPool_5a_3x3",
    ]
    assert stem(paper)[3:] == ["MaxPool_3a_3x3", "Conv2d_3b_3x3", "Conv2d_4a_3x3", "Conv2d_5a_3x3"]
    for table in (released, keras, paper):
        sizes = [table[f"Mixed_{name}/output"].output[0] for name in ("5b", "6a", "6b", "7a", "7b")]
        assert sizes == [35, 17, 17, 8, 8]


def test_keras_has_no_scales() -> None:
    images = jnp.zeros((1, 75, 75, 3))
    for variant, leaves in (("released", {"scale", "bias"}), ("keras", {"bias"})):
        model = build(variant=variant, auxiliary=False)
        params = jax.eval_shape(model.init, jax.random.key(0), images)["params"]
        assert params["Mixed_5b"]["branch1x1_bn"].keys() == leaves
        assert params["Mixed_5b"]["branch1x1"].keys() == {"kernel"}
    assert build(variant="keras").published.dropout == {"pool": 0.0}


@pytest.mark.parametrize(
    ("variant", "rule"), [("released", "caffe"), ("keras", "valid"), ("paper", "valid")]
)
def test_every_module_averages_by_the_rule_of_the_variant(variant: str, rule: str) -> None:
    found = []

    def note(method: Any, args: Any, how: dict[str, Any], context: Any) -> Any:
        if context.method_name == "average_pool":
            found.append((context.module.name, how["count_padding"]))
        return method(*args, **how)

    with nn.intercept_methods(note):
        predict(build(variant=variant, auxiliary=False), 75, train=False)
    assert set(found) == {(f"Mixed_{name}", rule) for name in ("5b", "6b", "7b")}


def test_bad_small_forms_are_named() -> None:
    with pytest.raises(InputError, match=r"modules = \(3, 4\): give 3 numbers"):
        predict(build(modules=(3, 4)), 75, train=False)
