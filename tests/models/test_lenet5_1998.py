"""What the paper prints of LeNet-5 beyond its parameter counts."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.changes import overridden
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import base_config
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.lenet5 import (
    C3_CONNECTIONS,
    DIGITS,
    connections,
    digit_codes,
    output_codes,
)
from cnn_jax.step.objective import NO_CLASS_PENALTY, lecun_1998

SHAPES = {
    "C1": (28, 28, 6),
    "S2": (14, 14, 6),
    "C3": (10, 10, 16),
    "S4": (5, 5, 16),
    "C5": (1, 1, 120),
    "F6": (84,),
    "OUTPUT": (10,),
}


def build(**kwargs: Any) -> models.Network:
    return models.build("lenet5", **({"num_classes": 10, "variant": "1998"} | kwargs))


def draw(model: models.Network) -> dict[str, Any]:
    return init_variables(model, jax.random.key(0), (1, 32, 32, 1), train=False)


def test_table_1_is_as_section_2b_describes_it() -> None:
    def contiguous(seen: tuple[int, ...]) -> bool:
        return any({(first + i) % 6 for i in range(len(seen))} == set(seen) for first in range(6))

    kinds = [(len(seen), contiguous(seen)) for seen in C3_CONNECTIONS]
    assert kinds == [(3, True)] * 6 + [(4, True)] * 6 + [(4, False)] * 3 + [(6, True)]
    assert len(set(C3_CONNECTIONS)) == 16 and sum(map(len, C3_CONNECTIONS)) == 60
    assert [sum(i in seen for seen in C3_CONNECTIONS) for i in range(6)] == [10] * 6
    assert connections(1) == C3_CONNECTIONS
    assert sum(map(len, connections(2))) == 4 * 60 and connections(2)[0] == (0, 1, 2, 6, 7, 8)


def test_connections_of_each_layer_are_those_of_the_paper() -> None:
    """Weights and biases times the places where each is used (section II.B)."""
    params = draw(build())["params"]
    used = {
        name: sum(leaf.size for leaf in params[name].values()) * SHAPES[name][0] * SHAPES[name][1]
        for name in ("C1", "C3", "C5")
    }
    assert used == {"C1": 122_304, "C3": 151_600, "C5": 48_120}


def test_the_codes_are_ten_different_7x12_pictures() -> None:
    codes = digit_codes()
    assert codes.shape == (10, 84) and set(codes.ravel()) == {-1, 1}
    apart = (codes[:, None] != codes).sum(-1) + 84 * np.eye(10, dtype=int)
    assert apart.min() == 11 and np.unravel_index(apart.argmin(), (10, 10)) == (3, 8)
    seven = ["".join("#" if bit > 0 else "." for bit in row) for row in codes[7].reshape(12, 7)]
    assert seven == [row.split()[7] for row in DIGITS.strip().split("\n")]


def test_other_sizes_have_fixed_random_codes() -> None:
    codes = output_codes(1000, 84)
    assert set(codes.ravel()) == {-1, 1} and len(np.unique(codes, axis=0)) == 1000
    np.testing.assert_array_equal(codes, output_codes(1000, 84))
    assert codes[0, :8].tolist() == [-1, 1, 1, 1, 1, -1, 1, -1]
    with pytest.raises(InputError, match="4 units of F6 are too few to give 100 classes"):
        jax.eval_shape(
            build(num_classes=100, width=0.05).init, jax.random.key(0), jnp.zeros((1, 32, 32, 1))
        )


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_dtypes(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        model = build(dtype=dtype)
        variables, wide = draw(model), jnp.promote_types(dtype, jnp.float32)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {wide}
        prediction, state = jax.eval_shape(
            lambda v: model.apply(v, jnp.zeros((2, 32, 32, 1), dtype), mutable=["taps"]), variables
        )
        assert prediction.logits.dtype == wide
        taps = {name: tap.dtype for name, tap in state["taps"].items()}
        assert taps == dict.fromkeys(SHAPES, jnp.dtype(dtype)) | {"OUTPUT": wide}


@pytest.mark.parametrize("variant", ["1998", "1998_softmax"])
def test_stages_are_those_of_figure_2(variant: str) -> None:
    model, images = build(variant=variant), jnp.zeros((2, 32, 32, 1))
    variables = draw(model)
    _, state = jax.eval_shape(lambda v: model.apply(v, images, mutable=["taps"]), variables)
    assert {name: tap.shape[1:] for name, tap in state["taps"].items()} == SHAPES


def test_logits_are_minus_the_distance_of_f6_to_the_codes() -> None:
    model = build(kernel_init="lecun_normal", bias_init="gaussian(std=1)")
    images = jax.random.normal(jax.random.key(1), (3, 32, 32, 1))
    prediction, state = model.apply(draw(model), images, mutable=["taps"])
    f6 = 1.7159 * np.tanh(2 / 3 * np.float64(state["taps"]["F6"]))
    want = [[-((row - code) ** 2).sum() for code in digit_codes()] for row in f6]
    np.testing.assert_allclose(prediction.logits, want, rtol=1e-5)


def test_first_loss() -> None:
    """The published weights leave F6 close to 0, at a distance of 84 from every code."""
    model = build()
    images = jax.random.normal(jax.random.key(1), (64, 32, 32, 1))
    logits, labels = model.apply(draw(model), images).logits, jnp.arange(64) % 10
    np.testing.assert_allclose(logits, -84.0, rtol=1e-3)
    assert float(-jax.nn.log_softmax(logits).mean()) == pytest.approx(math.log(10), rel=0.01)
    first = float(lecun_1998(logits, labels, 0.0).mean())
    assert first == pytest.approx(84 - NO_CLASS_PENALTY, rel=1e-3)


def test_published_weights_are_drawn_by_the_fan_in_of_a_unit() -> None:
    params = draw(build())["params"]
    inputs = {"C1": 25, "S2": 4, "C3": 75, "S4": 4, "C5": 400, "F6": 120}
    for name, fan_in in inputs.items():
        bound = 2.4 / fan_in
        assert 0.6 * bound < float(jnp.abs(params[name]["kernel"]).max()) <= bound, name
        assert not params[name]["bias"].any()
    of_the_last = jnp.abs(params["C3"]["kernel"][..., -6:]).max()
    assert 0.9 * 2.4 / 150 < float(of_the_last) <= 2.4 / 150


def test_every_layer_up_to_f6_squashes() -> None:
    """With `activation=linear` in place of the squashing function the network is affine."""
    images = jax.random.normal(jax.random.key(1), (2, 32, 32, 1))
    for activation, affine in (("linear", True), ("published", False)):
        model = build(variant="1998_softmax", activation=activation, kernel_init="lecun_normal")
        variables = draw(model)
        one, other, middle = (
            model.apply(variables, x[None]).logits for x in (*images, images.mean(0))
        )
        assert np.allclose((one + other) / 2, middle, rtol=1e-3, atol=1e-4) == affine


def test_the_knobs_reach_the_layers_of_1998() -> None:
    model = build(
        kernel_init={"S2": "ones", "C3": "zeros"},
        bias_init={"S4": "constant(value=0.5)"},
        pooling="max",
        norm="batch",
    )
    params = draw(model)["params"]
    models.check_layer_names(model, params)
    assert (params["S2"]["kernel"] == 1).all() and not params["C3"]["kernel"].any()
    assert (params["S4"]["bias"] == 0.5).all() and "S4_bn" in params
    with pytest.raises(InputError, match="no such layer"):
        models.check_layer_names(build(kernel_init={"OUTPUT": "zeros"}), params)


def test_the_command_line_leaves_the_word_1998() -> None:
    config = base_config()
    config.model.name = "lenet5"
    config = overridden(fill_defaults(config), [("model.kwargs.variant", "1998")])
    assert config.model.kwargs.variant == "1998"


@pytest.mark.parametrize(("width", "kernels"), [(0.1, 60), (1.4, 60), (2.0, 240)])
def test_width_brings_whole_copies_of_table_1(width: float, kernels: int) -> None:
    images = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    params = jax.eval_shape(build(width=width).init, jax.random.key(0), images)["params"]
    assert params["C3"]["kernel"].shape == (5, 5, kernels)
    assert params["F6"]["bias"].shape == (round(84 * width),)
