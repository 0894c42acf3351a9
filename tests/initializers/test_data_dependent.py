"""LSUV and Krähenbühl et al., held against numpy and measured by passes of the tests' own."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.initializers.data_dependent import DATA_DEPENDENT
from cnn_jax.initializers.layer_by_layer import DeadLayerError, Initialised, initialise_layers
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models import Network, build
from tests.models.small_networks import SMALL, Small

# One form of each of these at every run; the rest take some ten seconds each, and are `slow`.
QUICK = {
    "linear",
    "mlp-layers=(7,)-norm=batch",
    "lenet5-variant=1998_softmax-pooling=max",
}
IMAGES = 16


@pytest.fixture(autouse=True)
def in_full_precision() -> Iterator[None]:
    with jax.default_matmul_precision("highest"):
        yield


def run(model: Network, shape: tuple[int, ...], name: str, seed: int = 0, **how: Any) -> Any:
    """Returns images, variables and what the method makes of them."""
    images = jax.random.normal(jax.random.key(3), (IMAGES, *shape), model.dtype)
    key = jax.random.key(seed)
    variables = init_variables(model, key, (1, *shape), train=False)
    rule = DATA_DEPENDENT[name](**how)
    return images, variables, initialise_layers(model, variables, images, key, rule, train=True)


def outputs(model: Network, variables: Any, found: Initialised, images: Any) -> dict[str, Any]:
    """What every layer gives in a pass of its own, by the network's taps."""
    new = variables | {"params": found.params}
    _, state = model.apply(new, images, train=True, mutable=["taps", "batch_stats"])
    taps = {name: np.asarray(value, np.float64) for name, value in state["taps"].items()}
    return {layer.name: taps[layer.name] for layer in found.layers}


def test_the_quick_ones_are_here() -> None:
    assert {small.title for small in SMALL} >= QUICK


@pytest.mark.parametrize(
    "small",
    [
        pytest.param(s, id=s.title, marks=[] if s.title in QUICK else pytest.mark.slow)
        for s in SMALL
    ],
)
def test_every_layer_ends_within_tolerance(small: Small) -> None:
    model = small.build(dropout_rate=0.0)
    images, variables, found = run(model, small.shape, "lsuv")
    assert all(layer.within for layer in found.layers)
    for name, values in outputs(model, variables, found, images).items():
        assert abs(values.var() - 1) <= 0.02 + 1e-6, name
    images, variables, found = run(model, small.shape, "krahenbuhl", bias=0.2)
    assert all(layer.within for layer in found.layers)
    for name, values in outputs(model, variables, found, images).items():
        axes = tuple(range(values.ndim - 1))
        np.testing.assert_allclose(values.var(axes), 1, atol=1e-3, err_msg=name)
        here = found.params
        for part in name.split("/"):
            here = here[part]
        if "bias" in here:
            np.testing.assert_allclose(values.mean(axes), 0.2, atol=1e-3, err_msg=name)


def test_weights_begin_orthonormal_and_biases_stay() -> None:
    model = build("mlp", num_classes=10, layers=(20, 30), bias_init="gaussian(std=0.3)")
    _, variables, found = run(model, (4, 4, 1), "lsuv")
    for name, layer in found.params.items():
        kernel = np.asarray(layer["kernel"])
        gram = kernel.T @ kernel if kernel.shape[0] >= kernel.shape[1] else kernel @ kernel.T
        np.testing.assert_allclose(gram / gram[0, 0], np.eye(len(gram)), atol=1e-5)
        np.testing.assert_array_equal(layer["bias"], variables["params"][name]["bias"])


def lsuv_in_numpy(
    x: np.ndarray, layers: list[dict[str, Any]], tolerance: float
) -> tuple[list[np.ndarray], list[int]]:
    """Algorithm 1 of the paper for convolutions of 3x3 without padding, ReLU after each."""
    kernels, divisions = [], []
    for layer in layers:
        kernel, bias, done = np.asarray(layer["kernel"]), np.asarray(layer["bias"]), 0
        while abs((y := convolved(x, kernel) + bias).var() - 1) > tolerance:
            kernel, done = kernel / y.std(), done + 1
        x = np.maximum(y, 0)
        kernels.append(kernel)
        divisions.append(done)
    return kernels, divisions


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    height, width = (x.shape[axis] - kernel.shape[axis - 1] + 1 for axis in (1, 2))
    y = np.zeros((len(x), height, width, kernel.shape[3]))
    for row, column in np.ndindex(*kernel.shape[:2]):
        y += x[:, row : row + height, column : column + width] @ kernel[row, column]
    return y


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_lsuv_is_the_published_algorithm(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        model = build(
            "convnet",
            num_classes=3,
            dtype=dtype,
            filters=(5, 6),
            kernel_size=3,
            pad=0,
            pools=(0, 0),
            bias_init={"*": "gaussian(std=0.7)"},
        )
        how = {"pre_init": "network", "tolerance": 1e-3, "divisions": 50}
        images, variables, found = run(model, (6, 6, 2), "lsuv", **how)
    before = [variables["params"][name] for name in ("conv1", "conv2")]
    kernels, divisions = lsuv_in_numpy(np.asarray(images, np.float64), before, 1e-3)
    for name, kernel in zip(("conv1", "conv2"), kernels, strict=True):
        assert found.params[name]["kernel"].dtype == dtype
        rtol = 1e-12 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(found.params[name]["kernel"], kernel, rtol=rtol)
    assert [layer.iterations for layer in found.layers[:2]] == divisions
    assert max(divisions) > 1, "biases make it more than one division"
    assert [layer.name for layer in found.layers] == ["conv1", "conv2", "softmax"]


def test_krahenbuhl_on_a_perceptron_in_numpy() -> None:
    model = build("mlp", num_classes=3, layers=(6,), bias_init="ones")
    images, _, found = run(model, (4, 4, 1), "krahenbuhl")
    x = np.asarray(images, np.float64).reshape(IMAGES, -1)
    for name in ("fc1", "logits"):
        kernel, bias = (np.asarray(found.params[name][k], np.float64) for k in ("kernel", "bias"))
        sums = x @ kernel
        np.testing.assert_allclose(sums.std(axis=0), 1, rtol=1e-5)
        np.testing.assert_allclose(bias, 0.1 - sums.mean(axis=0), atol=1e-5)
        x = np.maximum(sums + bias, 0)


def test_the_implementations_have_their_own_limits() -> None:
    model = build("mlp", num_classes=10, layers=(40,), bias_init="gaussian(std=2.0)")
    _, variables, caffe = run(model, (4, 4, 1), "lsuv", tolerance=1e-9)
    assert caffe.layers[0].iterations == 21 and not caffe.layers[0].within
    _, variables, keras = run(model, (4, 4, 1), "lsuv", variant="keras", tolerance=1e-9)
    assert keras.layers[0].iterations == 10
    for name, leaf in keras.params["logits"].items():  # fewer than 32 outputs
        np.testing.assert_array_equal(leaf, variables["params"]["logits"][name])
    with pytest.raises(ValueError, match="divisions = -1"):
        DATA_DEPENDENT["lsuv"](divisions=-1)


def test_same_seed_same_weights() -> None:
    model = build("mlp", num_classes=10, layers=(7,))
    for name in ("lsuv", "krahenbuhl"):
        one, same, other = (run(model, (4, 4, 1), name, seed)[2].params for seed in (5, 5, 6))
        jax.tree.map(np.testing.assert_array_equal, one, same)
        assert not np.array_equal(one["fc1"]["kernel"], other["fc1"]["kernel"])


def test_variances_as_drawn_are_those_of_the_network_before() -> None:
    model = build("mlp", num_classes=10, layers=(7,))
    images, variables, found = run(model, (4, 4, 1), "lsuv")
    unchanged = Initialised(variables["params"], found.layers)
    for layer, values in zip(
        found.layers, outputs(model, variables, unchanged, images).values(), strict=True
    ):
        assert layer.before == pytest.approx(values.var(), rel=1e-5)


def test_a_dead_layer_is_named() -> None:
    model = build("mlp", num_classes=10, layers=(7, 5))
    variables = init_variables(model, jax.random.key(0), (1, 4, 4, 1), train=False)
    variables["params"]["fc1"]["bias"] = jnp.full(7, -1e3)
    for name, where in (("lsuv", "fc2"), ("krahenbuhl", "channel 0 of fc1")):
        images = jnp.zeros((4, 4, 4, 1)) if name == "krahenbuhl" else jnp.ones((4, 4, 4, 1))
        images = images.at[0].multiply(0.5)
        with pytest.raises(DeadLayerError, match=f"^{where} has outputs of variance 0"):
            initialise_layers(
                model, variables, images, jax.random.key(0), DATA_DEPENDENT[name](), train=True
            )
