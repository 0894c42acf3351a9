import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.optim.schedules import SCHEDULES, Clock, Shape, warmed_up


def values(shape: Shape, total: int, warmup: int = 0, per_epoch: float = 10.0) -> np.ndarray:
    steps = jnp.arange(total, dtype=jnp.float32)
    clock = lambda t: Clock(t, jnp.float32(warmup), jnp.float32(total), jnp.float32(per_epoch))
    return np.asarray(jax.vmap(lambda t: shape(clock(t)))(steps))


def test_constant() -> None:
    np.testing.assert_array_equal(values(SCHEDULES["constant"](), 5), np.ones(5))


def test_step_drops_at_the_epochs() -> None:
    got = values(SCHEDULES["step"](boundaries_epochs=(1.0, 2.5), factor=0.1), 40)
    table = [1.0 if t < 10 else 0.1 if t < 25 else 0.01 for t in range(40)]
    np.testing.assert_allclose(got, table, rtol=1e-6)


def test_piecewise_has_the_rates_of_lenet5() -> None:
    """LeCun et al. 1998: 0.0005 for 2 passes, 0.0002 for 3, 0.0001 for 3, 0.00005 for 4."""
    shape = SCHEDULES["piecewise"](
        boundaries_epochs=(2.0, 5.0, 8.0, 12.0), multipliers=(0.4, 0.2, 0.1, 0.02)
    )
    table = [5e-4] * 2 + [2e-4] * 3 + [1e-4] * 3 + [5e-5] * 4 + [1e-5] * 8
    np.testing.assert_allclose(5e-4 * values(shape, 200), np.repeat(table, 10), rtol=1e-6)


def test_step_drops_at_the_first_step_of_a_broken_epoch() -> None:
    """ILSVRC: 1,281,167 / 256 = 5004.6 steps an epoch; 30 epochs end within step 150,136."""
    per_epoch = 1_281_167 / 256
    shape = SCHEDULES["step"](boundaries_epochs=(30.0,))
    clock = lambda t: Clock(*(jnp.float32(v) for v in (t, 0, 450_411, per_epoch)))
    assert float(shape(clock(150_136))) == 1.0
    assert float(shape(clock(150_137))) == pytest.approx(0.1)


def test_cosine_after_warmup() -> None:
    got = values(warmed_up(SCHEDULES["cosine"](final_fraction=0.1)), 30, warmup=10)
    table = [
        min((t + 1) / 10, 1.0)
        * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(max(t - 10, 0) / 20, 1.0))))
        for t in range(30)
    ]
    np.testing.assert_allclose(got, table, rtol=1e-5)


def test_warmup_of_no_steps_changes_nothing() -> None:
    np.testing.assert_array_equal(values(warmed_up(SCHEDULES["constant"]()), 3), np.ones(3))


def test_exponential_falls_in_a_staircase() -> None:
    """GoogLeNet: 4 % every 8 epochs."""
    got = values(SCHEDULES["exponential"](), 200, per_epoch=5.0)
    table = [0.96 ** (t // 40) for t in range(200)]
    np.testing.assert_allclose(got, table, rtol=1e-5)


def test_exponential_falls_at_the_first_step_of_a_broken_period() -> None:
    """Two epochs of ILSVRC at batch 1,600 are 1601.46 steps: period k begins at the next whole."""
    per_epoch = 1_281_167 / 1600
    shape = SCHEDULES["exponential"](factor=0.94, every_epochs=2.0)
    clock = lambda t: Clock(*(jnp.float32(v) for v in (t, 0, 80_073, per_epoch)))
    for k in range(1, 50):
        first = math.ceil(k * 2 * per_epoch)
        assert float(shape(clock(first - 1))) == pytest.approx(0.94 ** (k - 1), rel=1e-5)
        assert float(shape(clock(first))) == pytest.approx(0.94**k, rel=1e-5)


def test_exponential_without_stairs() -> None:
    got = values(SCHEDULES["exponential"](every_epochs=2.0, staircase=False), 30)
    np.testing.assert_allclose(got, [0.96 ** (t / 20) for t in range(30)], rtol=1e-5)


def test_polynomial_after_warmup() -> None:
    got = values(warmed_up(SCHEDULES["polynomial"](power=2.0, final_fraction=0.1)), 30, warmup=10)
    table = [min((t + 1) / 10, 1) * (0.1 + 0.9 * (1 - max(t - 10, 0) / 20) ** 2) for t in range(30)]
    np.testing.assert_allclose(got, table, rtol=1e-5)


def test_inverse() -> None:
    got = values(SCHEDULES["inverse"](), 5)
    np.testing.assert_allclose(got, [(1 + 1e-4 * t) ** -0.75 for t in range(5)], rtol=1e-6)


def test_constant_warmup() -> None:
    """ResNet-110: a tenth of the rate for the first steps, then the schedule's."""
    shape = warmed_up(SCHEDULES["step"](boundaries_epochs=(1.0,)), "constant", 0.1)
    got = values(shape, 15, warmup=4)
    np.testing.assert_allclose(got, [0.1] * 4 + [1.0] * 6 + [0.1] * 5, rtol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_shape_begins_at_one(name: str) -> None:
    assert values(SCHEDULES[name](), 10)[0] == 1.0
