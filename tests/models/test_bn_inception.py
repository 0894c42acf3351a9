"""Inception with batch normalisation: the order of the towers, the variants' widths and borders."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.bn_inception import Inception
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.models.layered import Published

GRIDS = {"3a": 28, "3b": 28, "3c": 14, "4a": 14, "4d": 14, "4e": 7, "5a": 7, "5b": 7}


def rows(**kwargs: Any) -> dict[str, Row]:
    model = models.build("bn_inception", num_classes=10, **kwargs)
    return {row.name: row for row in layer_table(model, (224, 224, 3))}


def run(module: Inception, images: jax.Array) -> jax.Array:
    return module.init_with_output(jax.random.key(0), images, train=False)[0]


def constants(**values: int) -> Published:
    biases = {name.lstrip("_"): f"constant(value={value})" for name, value in values.items()}
    return Published(kernel_init={"*": "zeros"}, bias_init={"*": "zeros", **biases})


def test_towers_stand_in_the_order_of_the_figure() -> None:
    told = constants(_1x1=1, _3x3=2, double3x3_2=3, pool_proj=4)
    out = run(Inception(widths=(1, 1, 2, 1, 3, 4), whole=told), jnp.ones((1, 4, 4, 2)))
    np.testing.assert_array_equal(out[0, 1, 1], [1, 2, 2, 3, 3, 3, 4, 4, 4, 4])


def test_a_module_without_1x1_halves_the_grid_and_passes_maxima() -> None:
    told = constants(_3x3=1, double3x3_2=2)
    images = jnp.arange(16.0).reshape(1, 4, 4, 1)
    out = run(Inception(widths=(0, 1, 1, 1, 1, 0), whole=told), images)
    assert out.shape == (1, 2, 2, 3)
    np.testing.assert_array_equal(out[0, ..., :2], np.broadcast_to([1, 2], (2, 2, 2)))
    np.testing.assert_array_equal(out[0, ..., 2], [[10, 11], [14, 15]])


@pytest.mark.parametrize(("count_padding", "corner"), [("valid", 1.0), ("caffe", 4 / 9)])
def test_averages_at_the_border(count_padding: str, corner: float) -> None:
    told = Published(kernel_init={"*": "zeros", "pool_proj": "ones"})
    module = Inception(widths=(1, 1, 1, 1, 1, 1), whole=told, count_padding=count_padding)
    out = run(module, jnp.ones((1, 3, 3, 1)))[0, ..., -1]
    np.testing.assert_allclose(out[0, 0], corner, rtol=1e-6)
    np.testing.assert_allclose(out[1, 1], 1, rtol=1e-6)


def test_variants_differ_in_two_widths_and_in_biases() -> None:
    paper, narrow, caffe = (rows(variant=variant) for variant in ("paper", "576", "caffe"))
    for table, width in ((paper, 608), (narrow, 576), (caffe, 608)):
        for name, size in GRIDS.items():
            assert table[f"inception_{name}/output"].output[0] == size
        assert [table[f"inception_{n}/output"].output[2] for n in ("4c", "4d")] == [width] * 2
        assert table["inception_5b/output"].output == (7, 7, 1024)
        kinds = [table[f"inception_{name}/pool"].kind for name in ("5a", "5b")]
        assert kinds == ["average_pool", "max_pool"]
    assert paper["conv1"].parameters == 7 * 7 * 3 * 64 == caffe["conv1"].parameters - 64


@pytest.mark.parametrize(
    ("variant", "rule"), [("paper", "valid"), ("576", "valid"), ("caffe", "caffe")]
)
def test_every_module_averages_by_the_rule_of_the_variant(variant: str, rule: str) -> None:
    found = []

    def note(method: Any, args: Any, how: dict[str, Any], context: Any) -> Any:
        if context.method_name == "average_pool":
            found.append((context.module.name, how["count_padding"]))
        return method(*args, **how)

    with nn.intercept_methods(note):
        rows(variant=variant, width=0.1, modules=(1, 1, 1))
    assert found == [(f"inception_{name}", rule) for name in ("3a", "4a", "5a")]


def test_small_form_keeps_what_halves_the_grid() -> None:
    table = rows(width=0.1, modules=(1, 1, 1))
    kept = [name.split("/")[0] for name in table if name.endswith("/output")]
    assert kept == [f"inception_{name}" for name in ("3a", "3c", "4a", "4e", "5a")]
    with pytest.raises(InputError, match="give 3 numbers, 1 to 2, 1 to 4, 1 to 2"):
        rows(modules=(3, 4, 2))
