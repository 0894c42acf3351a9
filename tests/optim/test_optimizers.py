"""Ten steps of every optimizer against its formula in numpy."""

import jax
import numpy as np
import optax
import pytest

from cnn_jax.optim.optimizers import OPTIMIZERS

RATE, MOMENTUM = 0.1, 0.8


def sgd(state: dict, g: np.ndarray, t: int) -> np.ndarray:
    return -RATE * g


def momentum(state: dict, g: np.ndarray, t: int) -> np.ndarray:
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return -RATE * state["v"]


def nesterov(state: dict, g: np.ndarray, t: int) -> np.ndarray:
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return -RATE * (MOMENTUM * state["v"] + g)


def adadelta(state: dict, g: np.ndarray, t: int) -> np.ndarray:
    rho, epsilon = 0.95, 1e-6
    state["g"] = rho * state.get("g", 0) + (1 - rho) * g**2
    step = -np.sqrt(state.get("x", 0) + epsilon) / np.sqrt(state["g"] + epsilon) * g
    state["x"] = rho * state.get("x", 0) + (1 - rho) * step**2
    return RATE * step


def adam(state: dict, g: np.ndarray, t: int) -> np.ndarray:
    beta_2 = 0.999
    state["m"] = MOMENTUM * state.get("m", 0) + (1 - MOMENTUM) * g
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    m, v = state["m"] / (1 - MOMENTUM**t), state["v"] / (1 - beta_2**t)
    return -RATE * m / (np.sqrt(v) + 1e-8)


FORMULAS = {f.__name__: f for f in (sgd, momentum, nesterov, adadelta, adam)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_against_the_formula(name: str) -> None:
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        w = rng.normal(size=5)
        expected, state = w.copy(), {}
        params = jax.numpy.asarray(w)
        optimizer_state = OPTIMIZERS[name](RATE, MOMENTUM).init(params)

        @jax.jit
        def update(gradient, optimizer_state, params, rate, decay):
            optimizer = OPTIMIZERS[name](rate, decay)
            return optimizer.update(gradient, optimizer_state, params)

        for t in range(1, 11):
            gradient = rng.normal(size=5)
            expected = expected + FORMULAS[name](state, gradient, t)
            updates, optimizer_state = update(gradient, optimizer_state, params, RATE, MOMENTUM)
            params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, expected, rtol=1e-9)
