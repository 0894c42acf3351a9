"""What is peculiar to the residual networks: their blocks, their depths, and the hidden loop."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.models.residual_network import SCANNED_FROM
from tests.slow_but import slow_but

# Three blocks: one that differs, and two in the loop.
ORIGINAL: dict[str, Any] = {"blocks": (3,), "width": 0.25}
BOTTLENECK: dict[str, Any] = {"depth": 50, "blocks": (3,), "width": 0.0625}
SCANNED: list[tuple[str, dict[str, Any]]] = [
    ("cifar_resnet", {**ORIGINAL, "activation": "prelu"}),
    ("cifar_preact_resnet", {**ORIGINAL, "block": "basic"}),
    ("resnet", {**BOTTLENECK, "shortcut": "C", "zero_init_residual": True}),
    ("preact_resnet", {**BOTTLENECK, "norm": "none"}),
]


def build(name: str, dtype: str = "float32", **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=3, dtype=dtype, **kwargs)


def layers(name: str, size: int = 32, **kwargs: Any) -> dict[str, Row]:
    return {row.name: row for row in layer_table(build(name, **kwargs), (size, size, 3))}


def drawn(model: models.Network) -> Any:
    """Returns variables of which none is 0 or 1, so that all of them matter."""
    variables = init_variables(model, jax.random.key(0), (1, 8, 8, 3), train=False)
    draws = np.random.default_rng(1)  # of numpy: XLA compiles its own for every shape
    move = lambda leaf: leaf + jnp.asarray(0.1 * draws.uniform(size=leaf.shape), leaf.dtype)
    return jax.tree.map(move, variables)


def images(examples: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(2).normal(size=(examples, 8, 8, 3)), dtype)


# Loops are compared with layers one by one: that needs no code that is quick.
compiled = partial(
    jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0}
)


def training(model: models.Network, variables: Any, x: jax.Array) -> Any:
    """Returns logits, gradients and new batch statistics of a pass in training."""

    def loss(params: Any) -> Any:
        given = {**variables, "params": params}
        out, changed = model.apply(given, x, train=True, mutable=["batch_stats"])
        return -jax.nn.log_softmax(out.logits)[:, 1].mean(), (out.logits, changed)

    gradients, (logits, changed) = jax.grad(loss, has_aux=True)(variables["params"])
    return logits, gradients, changed


def evaluation(model: models.Network, variables: Any, x: jax.Array) -> Any:
    return model.apply(variables, x).logits


def tapped(model: models.Network, variables: Any, x: jax.Array) -> Any:
    """Returns what each layer gives."""
    return model.apply(variables, x, mutable=["taps"])[1]["taps"]


def assert_equal_trees(one: Any, other: Any, tolerance: float) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(one))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 0, tolerance * scale), one, other)


def loops(model: models.Network, mutable: list[str], train: bool = True) -> int:
    shapes = jax.eval_shape(model.init, jax.random.key(0), images(1))
    forward = jax.make_jaxpr(lambda v, x: model.apply(v, x, train=train, mutable=mutable))
    return str(forward(shapes, images(2))).count("= scan[")


@pytest.mark.parametrize(("variant", "a", "b"), [("v1", (2, 2), (1, 1)), ("v1.5", (1, 1), (2, 2))])
def test_where_a_bottleneck_strides(variant: str, a: Any, b: Any) -> None:
    rows = layers("resnet", depth=50, variant=variant, blocks=(1, 1), width=0.125)
    assert (rows["conv3_1/a"].strides, rows["conv3_1/b"].strides) == (a, b)
    assert rows["conv3_1/shortcut"].strides == (2, 2)


def test_receptive_field_goes_through_blocks_and_padded_shortcuts() -> None:
    rows = layers("cifar_resnet", depth=20, width=0.25)
    # 3 of conv1, 4 for each of 6 layers at stride 1, 2 (a) and 4 x 5 at 2, 4 (a) and 8 x 5 at 4.
    assert rows["stage1_3/add"].receptive_field == (15, 15)
    assert rows["stage3_3/b"].receptive_field == (15 + 2 + 4 * 5 + 4 + 8 * 5,) * 2


@pytest.mark.parametrize("size", [16, 15])
def test_shortcut_a_subsamples_and_adds_maps_of_zeros(size: int) -> None:
    model = build("cifar_resnet", blocks=(1, 1), width=0.25)
    x = jax.random.normal(jax.random.key(0), (2, size, size, 3))
    variables = init_variables(model, jax.random.key(0), x.shape, train=False)
    taps = compiled(tapped)(model, variables, x)
    before, shortcut = jax.nn.relu(taps["stage1_1/add"]), taps["stage2_1/shortcut"]
    np.testing.assert_array_equal(shortcut[..., :4], before[:, ::2, ::2])
    assert shortcut.shape[-1] == 8 and not shortcut[..., 4:].any()
    normalised = taps["stage2_1/add"] - shortcut
    assert normalised.shape == taps["stage2_1/b"].shape


def test_a_block_that_starts_as_its_shortcut() -> None:
    model = build("cifar_resnet", blocks=(2,), width=0.25, zero_init_residual=True)
    variables = init_variables(model, jax.random.key(0), (1, 8, 8, 3), train=False)
    block = variables["params"]["stage1_2"]
    assert not block["b_bn"]["scale"].any() and block["a_bn"]["scale"].all()
    taps = compiled(tapped)(model, variables, images(2))
    np.testing.assert_array_equal(taps["stage1_2/add"], jax.nn.relu(taps["stage1_1/add"]))


def test_preactivation_keeps_the_identity_but_in_the_first_block() -> None:
    model = build("cifar_preact_resnet", block="basic", blocks=(2,), width=0.25)
    variables = drawn(model)
    found = compiled(tapped)(model, variables, images(2))
    taps = {name.removeprefix("stage1_"): tap for name, tap in found.items()}
    # Nothing but the identity is added to the residual of the second block.
    np.testing.assert_allclose(taps["2/add"], taps["1/add"] + taps["2/b"], atol=1e-6)
    # The first block adds what its first activation gives, which is never below zero.
    shortcut = taps["1/add"] - taps["1/b"]
    assert float(shortcut.min()) > -1e-5
    assert float(jnp.abs(shortcut - taps["conv1"]).max()) > 0.1


def test_plain_twin_has_the_layers_of_the_residual_network() -> None:
    rows = layers("cifar_resnet", depth=20, width=0.25, residual=False)
    twin = layers("cifar_resnet", depth=20, width=0.25)
    assert [name for name in twin if not name.endswith("/add")] == list(rows)


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("resnet", {"depth": 20}, "Table 1 has 18, 34, 50, 101, 152"),
        ("preact_resnet", {"depth": 199}, "200"),
        ("cifar_resnet", {"depth": 21}, "6n \\+ 2, nearest 20 and 26"),
        ("cifar_resnet", {"depth": 1}, "nearest 8"),
        ("cifar_preact_resnet", {"depth": 1202}, "1199 and 1208; block = 'basic' has 1202"),
        ("cifar_resnet", {"blocks": (2, 0)}, "one block or more"),
        ("resnet", {"blocks": ()}, "one block or more"),
        ("resnet", {"shortcut": "D"}, "shortcut = 'D'"),
        ("resnet", {"activation": "maxout"}, "no place"),
        ("resnet", {"zero_init_residual": True, "residual": False}, "no shortcuts"),
        ("cifar_resnet", {"zero_init_residual": True, "norm": "none"}, "no scale"),
    ],
)
def test_bad_arguments_are_named(name: str, kwargs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, **kwargs)


@pytest.mark.parametrize(("name", "kwargs"), slow_but([SCANNED[0]], SCANNED))
def test_a_loop_gives_the_numbers_of_the_unrolled_network(name: str, kwargs: Any) -> None:
    with jax.enable_x64(True):
        unrolled, scanned = (
            build(name, "float64", scan_blocks=word, **kwargs) for word in ("never", "always")
        )
        variables, x = drawn(unrolled), images(4, jnp.float64)
        assert loops(unrolled, ["batch_stats"]) == 0 < loops(scanned, ["batch_stats"])
        for run in (compiled(training), compiled(evaluation)):
            one, other = (run(model, variables, x) for model in (unrolled, scanned))
            assert_equal_trees(one, other, 1e-12)


def test_a_loop_changes_every_running_statistic() -> None:
    model = build("cifar_resnet", **ORIGINAL, scan_blocks="always")
    variables = drawn(model)
    _, _, changed = compiled(training)(model, variables, images(4))
    before, after = (flatten_dict(tree["batch_stats"]) for tree in (variables, changed))
    assert before.keys() == after.keys()
    assert all(float(jnp.abs(before[path] - after[path]).min()) > 0 for path in before)


@pytest.mark.slow
def test_a_loop_takes_virtual_batches() -> None:
    view = BatchView(statistics_group=2)
    unrolled, scanned = (
        build("cifar_resnet", **ORIGINAL, scan_blocks=word).clone(view=view)
        for word in ("never", "always")
    )
    variables = drawn(unrolled)
    one, other = (compiled(training)(model, variables, images(4)) for model in (unrolled, scanned))
    assert_equal_trees(one, other, 1e-5)


@pytest.mark.parametrize("group", slow_but([None], [None, 2]))
def test_a_loop_under_a_mapped_axis(group: int | None) -> None:
    view = BatchView(axis_name="data", statistics_group=group)
    unrolled, scanned = (
        build("cifar_resnet", **ORIGINAL, scan_blocks=word).clone(view=view)
        for word in ("never", "always")
    )
    variables, x = drawn(unrolled), images(4).reshape(2, 2, 8, 8, 3)
    one, other = (
        jax.pmap(partial(training, model), axis_name="data", in_axes=(None, 0))(variables, x)
        for model in (unrolled, scanned)
    )
    assert_equal_trees(one, other, 1e-5)


def test_a_pass_that_records_is_not_a_loop() -> None:
    model = build("cifar_resnet", **ORIGINAL, scan_blocks="always")
    assert loops(model, []) == loops(model, [], train=False) == 1
    assert loops(model, ["taps"]) == loops(model, ["intermediates"]) == 0
    assert "stage1_3/a" in jax.eval_shape(partial(tapped, model), drawn(model), images(1))


def test_a_loop_is_taken_where_there_are_many_equal_blocks() -> None:
    short, long = ((1, SCANNED_FROM), (1, SCANNED_FROM + 1))
    for blocks, expected in ((short, 0), (long, 1)):
        assert loops(build("cifar_resnet", blocks=blocks, width=0.125), []) == expected


def test_parameters_do_not_depend_on_the_loop() -> None:
    one, other = (
        jax.eval_shape(
            build("cifar_resnet", **ORIGINAL, scan_blocks=word).init, jax.random.key(0), images(1)
        )
        for word in ("never", "always")
    )
    assert one == other and "stage1_3" in one["params"]
