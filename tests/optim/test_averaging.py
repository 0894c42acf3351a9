"""Averages of the parameters against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.optim.averaging import AVERAGES, averaged

START = 3


def run(name: str, values: np.ndarray, decay: float, start: int) -> np.ndarray:
    average, found = jnp.asarray(values[0]), []
    for step, value in enumerate(values[1:]):
        made = jnp.asarray(float(step - start))
        average = averaged(AVERAGES[name], average, jnp.asarray(value), made, jnp.asarray(decay))
        found.append(np.asarray(average))
    return np.stack(found)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_ema(values: np.ndarray, decay: float) -> None:
    with jax.enable_x64(True):
        got = run("ema", values, decay, 0)
    expected, average = [], values[0]
    for t, value in enumerate(values[1:]):
        d = min(decay, (1 + t) / (10 + t))
        average = d * average + (1 - d) * value
        expected.append(average)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_polyak_is_the_mean_from_its_start(values: np.ndarray) -> None:
    with jax.enable_x64(True):
        got = run("polyak", values, 0.5, START)
    made = values[1:]
    np.testing.assert_allclose(got[:START], made[:START], rtol=1e-12)
    for step in range(START, len(made)):
        np.testing.assert_allclose(got[step], made[START : step + 1].mean(0), rtol=1e-10)
