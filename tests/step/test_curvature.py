import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.models import build
from cnn_jax.step import curvature as module
from cnn_jax.step.objective import LOSSES
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import prepare
from tests import configs


@pytest.fixture(autouse=True, scope="module")
def _float64():
    with jax.enable_x64(True):
        yield


def curvature(outputs: Any, losses: Any, params: Any) -> Any:
    """As the step has it: one program, and not one for each operation."""
    return jax.jit(lambda params: module.curvature(outputs, losses, params))(params)


def half_squares(y: jax.Array) -> jax.Array:
    return jnp.sum(y**2, axis=1) / 2


@settings(deadline=None, max_examples=6)
@given(widths=st.lists(st.integers(1, 4), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_perceptrons_follow_the_equations_of_appendix_c(widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=shape) for shape in itertools.pairwise(widths)]
    x = rng.normal(size=(3, widths[0]))

    def outputs(params: list[jax.Array]) -> jax.Array:
        y = jnp.asarray(x)
        for w in params:
            y = jnp.tanh(y @ w)
        return y

    values = [x]
    for w in weights:
        values.append(np.tanh(values[-1] @ w))
    h, expected = np.ones_like(values[-1]) / len(x), []
    for w, before, after in zip(weights[::-1], values[-2::-1], values[:0:-1], strict=True):
        h = (1 - after**2) ** 2 * h  # of the sums
        expected.insert(0, (before**2).T @ h)
        h = h @ (w**2).T
    for found, wanted in zip(curvature(outputs, half_squares, weights), expected, strict=True):
        # Where a unit saturates, 1 - tanh^2 is small and has few digits.
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15 * wanted.max())


def test_without_hidden_layers_it_is_the_diagonal_of_the_hessian() -> None:
    """Of softmax regression, whose Hessian drops nothing on its diagonal."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, 4)), np.array([0, 2, 1, 1, 0])
    w = jnp.asarray(rng.normal(size=(4, 3)))

    def losses(logits: jax.Array) -> jax.Array:
        return LOSSES["softmax"](logits, labels, 0.0)

    exact = jax.jit(jax.hessian(lambda w: losses(x @ w).mean()))(w)
    found = curvature(lambda w: x @ w, losses, w)
    np.testing.assert_allclose(found, np.einsum("ijij->ij", exact), rtol=1e-12)


@pytest.mark.parametrize("formulation", ["canonical", "plain"])
def test_a_shared_weight_has_the_sum_over_its_places(formulation: str, monkeypatch) -> None:
    """Against loops over every unit of C1, S2 and C3 of a small network of 1998."""
    from cnn_jax.layers.convolution import conv2d
    from cnn_jax.layers.pooling import average_pool

    monkeypatch.setattr("cnn_jax.layers.formulation.current", lambda: formulation)
    rng = np.random.default_rng(1)
    image = rng.normal(size=(1, 6, 6, 1))
    params = {
        "c": rng.normal(size=(3, 3, 1, 2)),
        "s": rng.normal(size=2),
        "f": rng.normal(size=(8, 2)),
    }

    def outputs(params: dict[str, jax.Array]) -> jax.Array:
        maps = jnp.tanh(conv2d(jnp.asarray(image), params["c"]))
        return (average_pool(maps, 2) * 4 * params["s"]).reshape(1, 8) @ params["f"]

    sums = np.zeros((4, 4, 2))
    for i, j in np.ndindex(4, 4):
        sums[i, j] = np.einsum("ab,abo->o", image[0, i : i + 3, j : j + 3, 0], params["c"][:, :, 0])
    maps = np.tanh(sums)
    pooled = maps.reshape(2, 2, 2, 2, 2).sum((1, 3))
    h_s = (params["f"] ** 2).sum(1).reshape(2, 2, 2)  # of the outputs of S2; 1 for each logit
    wanted = {"f": np.repeat((pooled * params["s"]).reshape(8, 1) ** 2, 2, axis=1)}
    wanted["s"] = (pooled**2 * h_s).sum((0, 1))
    h_c = np.repeat(np.repeat(h_s * params["s"] ** 2, 2, 0), 2, 1) * (1 - maps**2) ** 2
    wanted["c"] = np.zeros((3, 3, 1, 2))
    for i, j in np.ndindex(4, 4):
        wanted["c"][..., 0, :] += (image[0, i : i + 3, j : j + 3, 0] ** 2)[..., None] * h_c[i, j]
    found = curvature(outputs, half_squares, params)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, err_msg=name)


def test_the_distances_of_the_output_keep_the_curvature_of_a_square() -> None:
    """E = y of the label: its second derivative by each unit of F6 is 2, for any codes."""
    codes, x = np.array([[1.0, -1.0], [-1.0, -1.0]]), jnp.array([[0.3, 0.4]])

    def outputs(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(x[:, None] - codes), axis=-1)

    found = curvature(outputs, lambda y: y[:, 1], x)
    np.testing.assert_allclose(found, [[2.0, 2.0]], rtol=1e-12)


@pytest.mark.slow
def test_lenet5_begins_with_the_rates_that_the_paper_prints() -> None:
    """Section III.A: effective rates of the first pass from about 7e-5 to 0.016.

    They are 0.0005 / (0.02 + h) there. The largest h belongs to a bias that all 784 places of a map
    share; that it is some hundreds of times the damping does not need the images of MNIST.
    """
    model = build("lenet5", num_classes=10, variant="1998", dtype="float64")
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.choice([-0.1, 1.175], p=[0.8, 0.2], size=(4, 32, 32, 1)))
    labels = jnp.arange(4)
    params = model.init(jax.random.key(0), images)["params"]
    found = curvature(
        lambda p: model.apply({"params": p}, images).logits,
        lambda logits: LOSSES["lecun_1998"](logits, labels, 0.0),
        params,
    )
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(found)]
    assert jax.tree.structure(found) == jax.tree.structure(params)
    assert all((leaf >= 0).all() for leaf in leaves)
    rates = [0.0005 / (0.02 + leaf) for leaf in leaves]
    assert 1e-5 < min(rate.min() for rate in rates) < 1e-3
    assert max(rate.max() for rate in rates) <= 0.025


@pytest.mark.parametrize("devices, mode", [(1, "jit"), (8, "jit"), (8, "pmap")])
def test_the_step_measures_the_whole_batch(devices: int, mode: str) -> None:
    keys = {
        "optim.name": "diagonal_levenberg_marquardt",
        "optim.learning_rate": 0.01,
        "optim.kwargs": {"batches": 2, "every": 3},
        "model.kwargs.norm": "none",
        "precision.compute": "float64",
        "parallel.devices": devices,
        "parallel.mode": mode,
    }
    run = prepare(configs.quick(keys))
    state = run.initial_state()
    state, _ = make_feed(run, state)(state, 0, 5)
    kept = jax.device_get(state.opt_state)
    assert int(np.ravel(kept.step)[0]) == 5
    first = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(kept.curvature)]
    assert all((leaf >= 0).all() for leaf in first) and max(leaf.max() for leaf in first) > 0


def test_a_normalisation_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'div'.*optim.name"):
        curvature(lambda w: w / jnp.sum(w), half_squares, jnp.ones((1, 2)))
