"""Ten steps of every optimizer against its formula in numpy; the rate falls at the sixth."""

from functools import partial

import jax
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.optim.optimizers import OPTIMIZERS

MOMENTUM = 0.8
RATES = [0.1] * 5 + [0.01] * 5


def sgd(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    return -rate * g


def momentum(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return -rate * state["v"]


def nesterov(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    state["v"] = MOMENTUM * state.get("v", 0) + g
    return -rate * (MOMENTUM * state["v"] + g)


def momentum_2012(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    state["v"] = MOMENTUM * state.get("v", 0) - rate * g
    return state["v"]


def rmsprop(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    state["s"] = 0.9 * state.get("s", 0) + 0.1 * g**2
    state["v"] = MOMENTUM * state.get("v", 0) + g / (np.sqrt(state["s"]) + 1e-8)
    return -rate * state["v"]


def rmsprop_tf(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    state["s"] = 0.9 * state.get("s", 1) + 0.1 * g**2
    state["v"] = MOMENTUM * state.get("v", 0) + rate * g / np.sqrt(state["s"] + 1.0)
    return -state["v"]


def adadelta(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    rho, epsilon = 0.95, 1e-6
    state["g"] = rho * state.get("g", 0) + (1 - rho) * g**2
    step = -np.sqrt(state.get("x", 0) + epsilon) / np.sqrt(state["g"] + epsilon) * g
    state["x"] = rho * state.get("x", 0) + (1 - rho) * step**2
    return rate * step


def adam(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    beta_2 = 0.999
    state["m"] = MOMENTUM * state.get("m", 0) + (1 - MOMENTUM) * g
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    m, v = state["m"] / (1 - MOMENTUM**t), state["v"] / (1 - beta_2**t)
    return -rate * m / (np.sqrt(v) + 1e-8)


def diagonal_levenberg_marquardt(state: dict, g: np.ndarray, t: int, rate: float) -> np.ndarray:
    """Measured in steps 1 and 2, 5 and 6, 9 and 10; in force from the second of each pair on."""
    seen = [*state.get("g", []), g]
    state["g"] = seen
    whole = [(k - 1, k) for k in (2, 6, 10) if k <= t]
    if not whole:
        return np.zeros_like(g)
    h = np.mean([seen[k - 1] ** 2 for k in whole[-1]], axis=0)
    return -rate * g / (0.02 + h)


ALL = (sgd, momentum, momentum_2012, nesterov, rmsprop, rmsprop_tf, adadelta, adam)
ALL += (diagonal_levenberg_marquardt,)
# The weight decay of AdamW is a part of the step: tests/step/test_steps.py
FORMULAS = {f.__name__: f for f in ALL} | {"adamw": adam}
KWARGS = {"diagonal_levenberg_marquardt": {"batches": 2, "every": 4}}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_against_the_formula(name: str) -> None:
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        w = rng.normal(size=5)
        expected, state = w.copy(), {}
        params = jax.numpy.asarray(w)
        build = partial(OPTIMIZERS[name], **KWARGS.get(name, {}))
        optimizer_state = build(0.0, 0.0).init(params)

        @jax.jit
        def update(gradient, optimizer_state, params, rate, decay):
            optimizer = optax.with_extra_args_support(build(rate, decay))
            second = lambda: gradient**2
            return optimizer.update(gradient, optimizer_state, params, second=second)

        for t, now in enumerate(RATES, start=1):
            gradient = rng.normal(size=5)
            expected = expected + FORMULAS[name](state, gradient, t, now)
            updates, optimizer_state = update(gradient, optimizer_state, params, now, MOMENTUM)
            params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, expected, rtol=1e-9)


def test_curvature_is_measured_once() -> None:
    optimizer = OPTIMIZERS["diagonal_levenberg_marquardt"](
        1.0, 0.0, damping=0.0, batches=2, every=0
    )
    w = jax.numpy.array(0.0)
    state, updates = optimizer.init(w), []
    for second in (1.0, 3.0, 100.0, 100.0, 100.0):
        update, state = optimizer.update(w + 1, state, second=lambda h=second: jax.numpy.array(h))
        updates.append(float(update))
    np.testing.assert_allclose(updates, [0.0, -0.5, -0.5, -0.5, -0.5])


@settings(deadline=None, max_examples=15)
@given(batches=st.integers(1, 5), more=st.integers(0, 5), once=st.booleans())
def test_nothing_moves_before_the_first_measurement_is_whole(
    batches: int, more: int, once: bool
) -> None:
    """A parameter whose first examples are flat would be thrown far by what they alone tell."""
    every = 0 if once else batches + more
    optimizer = OPTIMIZERS["diagonal_levenberg_marquardt"](
        1.0, 0.0, damping=0.01, batches=batches, every=every
    )
    w = jax.numpy.array(0.0)
    state = optimizer.init(w)
    for step in range(batches):
        second = float(batches if step == batches - 1 else 0)  # flat, but for the last
        update, state = optimizer.update(w + 1, state, second=lambda h=second: jax.numpy.array(h))
        assert float(update) == pytest.approx(0 if step < batches - 1 else -1 / 1.01)


def test_the_two_forms_of_momentum_part_where_the_rate_changes() -> None:
    """The common form drops its velocity with the rate, that of 2012 keeps it."""
    after = {}
    for name in ("momentum", "momentum_2012"):
        state: dict = {}
        updates = [FORMULAS[name](state, np.ones(1), t, rate) for t, rate in enumerate(RATES)]
        after[name] = np.concatenate(updates)
    np.testing.assert_allclose(after["momentum"][:5], after["momentum_2012"][:5])
    assert after["momentum_2012"][5] < 5 * after["momentum"][5] < 0
