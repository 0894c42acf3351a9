import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models import check_layer_names
from tests.models.small_networks import FIRST_OF_EACH, SMALL, Small

# Counts that no published table holds: batch norm where the paper has none.
COUNTS: list[tuple[dict[str, Any], int]] = [
    ({"norm": "batch"}, 61_706 + 2 * (6 + 16 + 120 + 84)),
    ({"variant": "1998_softmax"}, 60_850),
    ({"variant": "1998", "norm": "batch"}, 60_000 + 2 * (6 + 6 + 16 + 16 + 120 + 84)),
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


def build(name: str, dtype: str = "float32", **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=10, dtype=dtype, **kwargs)


def count(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("kwargs", "parameters"), COUNTS)
def test_parameter_count(kwargs: Any, parameters: int) -> None:
    model = build("lenet5", **kwargs)
    images = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    assert count(jax.eval_shape(model.init, jax.random.key(0), images)["params"]) == parameters


def test_lenet_stages_are_those_of_figure_2() -> None:
    model = build("lenet5")
    images = jnp.zeros((2, 32, 32, 1))
    variables = model.init(jax.random.key(0), images)
    _, state = jax.eval_shape(lambda v: model.apply(v, images, mutable=["taps"]), variables)
    assert {name: tap.shape[1:] for name, tap in state["taps"].items()} == LENET_SHAPES


@pytest.mark.parametrize(
    "small",
    [
        pytest.param(
            x, marks=pytest.mark.slow if x.slow or x not in FIRST_OF_EACH else [], id=x.title
        )
        for x in SMALL
    ],
)
def test_forward_and_gradient(small: Small) -> None:
    # In float64, where a gradient that theory says is zero is zero but for the last digits.
    with jax.enable_x64(True):
        model = small.build("float64", dropout_rate=0.0)
        images = jnp.asarray(np.random.default_rng(1).normal(size=(4, *small.shape)))
        variables = init_variables(model, jax.random.key(0), (1, *small.shape), train=False)

        def loss(params: Any) -> tuple[jax.Array, Any]:
            given = {**variables, "params": params}
            out, _ = model.apply(given, images, train=True, mutable=["batch_stats"])
            answers = [out.logits, *out.auxiliary.values()]
            losses = [
                -jnp.mean(jax.nn.log_softmax(x)[jnp.arange(4), jnp.arange(4)]) for x in answers
            ]
            return sum(losses, jnp.zeros(())), out

        options = {"xla_backend_optimization_level": 0}
        gradient = jax.jit(jax.grad(loss, has_aux=True), compiler_options=options)
        gradients, out = jax.device_get(gradient(variables["params"]))
        forward = jax.jit(lambda x: model.apply(variables, x), compiler_options=options)
        evaluated, beside_others = forward(images), forward(images.at[1:].multiply(-1.0))
    assert out.logits.shape == (4, 10) and evaluated.auxiliary == {}
    first = evaluated.logits[0]
    np.testing.assert_allclose(beside_others.logits[0], first, rtol=1e-5, atol=1e-10)
    by_leaf = flatten_dict(gradients)
    largest = max(float(np.abs(g).max()) for g in by_leaf.values())
    assert math.isfinite(largest)
    for path, gradient in by_leaf.items():
        here = float(np.abs(gradient).max())
        if path in idle_leaves(by_leaf):
            assert here < 1e-12 * largest, path
        else:
            assert here > 1e-6 * largest, path


def idle_leaves(leaves: Any) -> set[tuple[str, ...]]:
    """Returns the leaves without effect: a bias before batch norm, which takes the mean off."""
    normed = {
        (*path[:-2], path[-2].removesuffix("_bn")) for path in leaves if path[-2][-3:] == "_bn"
    }
    return {path for path in leaves if path[-1] == "bias" and path[:-1] in normed}


@pytest.mark.parametrize("small", FIRST_OF_EACH, ids=lambda small: small.name)
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_dtypes(small: Small, dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        model, wide = small.build(dtype), jnp.promote_types(dtype, jnp.float32)
        images = jax.ShapeDtypeStruct((2, *small.shape), dtype)
        rngs = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
        out, variables = jax.eval_shape(
            lambda x: model.init_with_output(rngs, x, train=True), images
        )
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {wide}
        assert out.logits.dtype == wide
        assert {logits.dtype for logits in out.auxiliary.values()} <= {wide}


@pytest.mark.parametrize("name", ["linear", "mlp", "lenet5"])
def test_initial_loss_is_ln_classes(name: str) -> None:
    model = build(name)
    images = jax.random.normal(jax.random.key(1), (64, 32, 32, 1))
    variables = init_variables(model, jax.random.key(0), (1, 32, 32, 1), train=False)
    losses = -jax.nn.log_softmax(model.apply(variables, images).logits).mean()
    assert float(losses) == pytest.approx(math.log(10), rel=0.10)


KNOBS: list[dict[str, Any]] = [
    {"norm": "batch"},
    {"norm": "none"},
    {"activation": "prelu"},
    {"activation": "tanh"},
    {"kernel_init": "orthogonal", "bias_init": "constant(value=0.1)"},
]


@pytest.mark.parametrize("small", FIRST_OF_EACH, ids=lambda small: small.name)
def test_every_knob_fits_every_network(small: Small) -> None:
    for knobs in KNOBS:
        model = small.build(**knobs)
        shapes = jax.eval_shape(
            lambda model=model: init_variables(model, jax.random.key(0), (1, *small.shape))
        )
        kinds = {path[-2].rsplit("_", 1)[-1] for path in flatten_dict(shapes["params"])}
        if "norm" in knobs and small.name != "linear":
            assert ("bn" in kinds) == (knobs["norm"] == "batch")
        if knobs.get("activation") == "prelu" and small.name != "linear":
            assert "prelu" in kinds


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
        ({"dropout_rate": "half"}, "a map from names to float, float, published"),
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
