import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models import MODELS, check_layer_names

# name, arguments, input shape, parameters; the counts are those of the papers and the slides.
COUNTS: list[tuple[str, dict[str, Any], tuple[int, int, int], int]] = [
    ("linear", {}, (32, 32, 3), 30_730),
    ("mlp", {"layers": (100,)}, (32, 32, 3), 308_310),
    ("mlp", {"layers": (100, 100)}, (32, 32, 3), 318_410),
    ("lenet5", {}, (32, 32, 1), 61_706),
    ("lenet5", {"norm": "batch"}, (32, 32, 1), 61_706 + 2 * (6 + 16 + 120 + 84)),
    ("lenet5", {"variant": "1998"}, (32, 32, 1), 60_000),
    ("lenet5", {"variant": "1998_softmax"}, (32, 32, 1), 60_850),
    (
        "lenet5",
        {"variant": "1998", "norm": "batch"},
        (32, 32, 1),
        60_000 + 2 * (6 + 6 + 16 + 16 + 120 + 84),
    ),
]
LENET_SHAPES = {
    "C1": (28, 28, 6),
    "S2": (14, 14, 6),
    "C3": (10, 10, 16),
    "S4": (5, 5, 16),
    "C5": (1, 1, 120),
    "F6": (84,),
    "OUTPUT": (10,),
}
SMALL: list[tuple[str, dict[str, Any]]] = [
    ("linear", {}),
    ("mlp", {"layers": (7, 5)}),
    ("mlp", {"layers": (7,), "norm": "batch"}),
    ("lenet5", {"width": 0.5}),
    ("lenet5", {"width": 0.5, "norm": "batch", "pooling": "max", "activation": "relu"}),
    ("lenet5", {"variant": "1998", "width": 0.34}),
    ("lenet5", {"variant": "1998_softmax", "width": 0.34, "pooling": "max", "activation": "relu"}),
]


def build(name: str, dtype: str = "float32", **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=10, dtype=dtype, **kwargs)


def count(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("name", "kwargs", "shape", "parameters"), COUNTS)
def test_parameter_count(name: str, kwargs: Any, shape: Any, parameters: int) -> None:
    model = build(name, **kwargs)
    images = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    assert count(jax.eval_shape(model.init, jax.random.key(0), images)["params"]) == parameters


def test_weights_of_the_2_layer_net() -> None:
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    params = jax.eval_shape(build("mlp").init, jax.random.key(0), images)["params"]
    assert sum(math.prod(leaves["kernel"].shape) for leaves in params.values()) == 308_200


def test_every_network_has_a_count_and_a_small_form() -> None:
    assert {row[0] for row in COUNTS} == {row[0] for row in SMALL} == MODELS.keys()


def test_lenet_stages_are_those_of_figure_2() -> None:
    model = build("lenet5")
    images = jnp.zeros((2, 32, 32, 1))
    variables = model.init(jax.random.key(0), images)
    _, state = jax.eval_shape(lambda v: model.apply(v, images, mutable=["taps"]), variables)
    assert {name: tap.shape[1:] for name, tap in state["taps"].items()} == LENET_SHAPES


@pytest.mark.parametrize(("name", "kwargs"), SMALL)
def test_forward_and_gradient(name: str, kwargs: Any) -> None:
    model = build(name, **kwargs)
    images = jax.random.normal(jax.random.key(1), (4, 32, 32, 1))
    variables = init_variables(model, jax.random.key(0), (1, 32, 32, 1), train=False)
    forward = jax.jit(lambda images: model.apply(variables, images).logits)
    logits = forward(images)
    one_by_one = [forward(images[i : i + 1]) for i in range(4)]
    np.testing.assert_allclose(logits, np.concatenate(one_by_one), atol=1e-5)

    def loss(params: Any) -> jax.Array:
        given = {**variables, "params": params}
        out, _ = model.apply(given, images, train=True, mutable=["batch_stats"])
        labels = jnp.arange(4)
        return -jnp.mean(jax.nn.log_softmax(out.logits)[jnp.arange(4), labels])

    gradients = jax.jit(jax.grad(loss))(variables["params"])
    largest = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(gradients))
    assert math.isfinite(largest)
    for layer, leaves in gradients.items():
        for leaf, gradient in leaves.items():
            before_norm = leaf == "bias" and f"{layer}_bn" in gradients
            here = float(jnp.abs(gradient).max())
            # A bias before batch norm has no effect: its gradient is zero but for rounding.
            assert (here < 1e-6 * largest) if before_norm else (here > 1e-6 * largest), (
                layer,
                leaf,
            )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_dtypes(name: str, dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        model = build(name, dtype=dtype)
        variables = init_variables(model, jax.random.key(0), (1, 32, 32, 1), train=False)
        wide = jnp.promote_types(dtype, jnp.float32)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {wide}
        assert model.apply(variables, jnp.zeros((2, 32, 32, 1), dtype)).logits.dtype == wide


@pytest.mark.parametrize("name", MODELS)
def test_initial_loss_is_ln_classes(name: str) -> None:
    model = build(name)
    images = jax.random.normal(jax.random.key(1), (64, 32, 32, 1))
    variables = init_variables(model, jax.random.key(0), (1, 32, 32, 1), train=False)
    losses = -jax.nn.log_softmax(model.apply(variables, images).logits).mean()
    assert float(losses) == pytest.approx(math.log(10), rel=0.10)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"widht": 2.0}, "did you mean 'width'"),
        ({"width": 0.0}, "must be above 0"),
        ({"pooling": "mean"}, "pooling = 'mean' is unknown"),
        ({"activation": "rellu"}, "relu"),
        ({"kernel_init": "he_norml"}, "he_normal"),
        ({"kernel_init": {"C1": "gaussian(sdt=1)"}}, "std"),
        ({"dropout_rate": 1.0}, "must be at least 0 and below 1"),
        ({"dropout_rate": {"C7": 0.5}}, "no dropout there; did you mean 'C5'"),
        ({"dropout_rate": "half"}, "a rate, a map, or 'published'"),
    ],
)
def test_bad_knobs_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("lenet5", **kwargs)


def test_a_map_must_name_layers_that_exist() -> None:
    model = build("lenet5", kernel_init={"C1": "zeros", "C9": "zeros"})
    images = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0), images)["params"]
    with pytest.raises(InputError, match="kernel_init names 'C9'.*did you mean 'C"):
        check_layer_names(model, params)


def test_a_map_of_initialisers_reaches_its_layers() -> None:
    knob = {"C1": "zeros", "*": "constant(value=0.5)"}
    variables = init_variables(
        build("lenet5", kernel_init=knob), jax.random.key(0), (1, 32, 32, 1), train=False
    )
    assert float(jnp.abs(variables["params"]["C1"]["kernel"]).max()) == 0
    assert float(variables["params"]["F6"]["kernel"].min()) == 0.5


def test_unknown_network() -> None:
    with pytest.raises(InputError, match="did you mean 'lenet5'"):
        build("lenet")
