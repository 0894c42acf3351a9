"""The bands hold what they promise, against figures and sums made elsewhere."""

from math import comb

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.bands import (
    BETTER,
    INSIDE,
    WORSE,
    band_of_images,
    band_of_seeds,
    band_of_spread,
)


def test_over_seeds_as_in_the_tables_of_students_t() -> None:
    band = band_of_spread(0.0661, 0.0016, 5)
    assert band.high - 0.0661 == pytest.approx(4.604 * 0.0016 * 1.2**0.5, rel=1e-3)
    assert "over 5 seeds" in band.kind
    assert band.verdict(0.0661) == INSIDE
    assert band.verdict(0.10) == WORSE and band.verdict(0.01) == BETTER


def test_over_seeds_one_run_in_a_hundred_is_outside() -> None:
    runs = np.random.default_rng(0).normal(0.1, 0.01, (4000, 11))
    inside = [band_of_seeds(list(row[:10])).verdict(row[10]) == INSIDE for row in runs]
    assert np.mean(inside) == pytest.approx(0.99, abs=0.005)


def test_over_images_the_tails_hold_half_a_percent_at_most() -> None:
    n, error = 200, 0.2
    chances = [comb(n, k) * error**k * (1 - error) ** (n - k) for k in range(n + 1)]
    band = band_of_images(error, n)
    low, high = round(band.low * n), round(band.high * n)
    assert sum(chances[:low]) <= 0.005 < sum(chances[: low + 1])
    assert sum(chances[high + 1 :]) <= 0.005 < sum(chances[high:])
    assert "200 images" in band.kind


def test_one_run_makes_no_band() -> None:
    with pytest.raises(InputError, match="at least two runs"):
        band_of_seeds([0.1])
