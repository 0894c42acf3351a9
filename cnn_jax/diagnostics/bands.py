"""The band in which a repeated run may fall, and whether an error lies inside.

Errors are fractions. The level is 99 %: of a hundred good runs, one is judged outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from cnn_jax.config.problems import InputError

LEVEL = 0.99
INSIDE, BETTER, WORSE = "inside", "outside, better", "outside, worse"


@dataclass(frozen=True)
class Band:
    """A band of errors.

    Attributes:
        centre: what was published, or the mean of the seeds.
        low: lowest error inside.
        high: highest error inside.
        kind: which band this is, in words.
    """

    centre: float
    low: float
    high: float
    kind: str

    def verdict(self, error: float) -> str:
        """Returns whether an error is inside the band, and on which side it is outside."""
        if self.low <= error <= self.high:
            return INSIDE
        return BETTER if error < self.low else WORSE

    def to_tree(self) -> dict[str, Any]:
        """Returns the band as JSON holds it."""
        return {"low": self.low, "high": self.high, "kind": self.kind}


def band_of_seeds(errors: Sequence[float]) -> Band:
    """Returns the band for one more run beside runs that differ in their seeds.

    Args:
        errors: of at least two runs.

    Raises:
        InputError: there are fewer.
    """
    if len(errors) < 2:
        raise InputError(f"a band over seeds needs at least two runs; there are {len(errors)}")
    return band_of_spread(fmean(errors), stdev(errors), len(errors))


def band_of_spread(mean: float, deviation: float, runs: int) -> Band:
    """Returns the band for one more run: mean -+ t * s * sqrt(1 + 1 / n), Student's t.

    Args:
        mean: of the errors of the runs.
        deviation: their standard deviation s, with n - 1.
        runs: number of runs, n.
    """
    t = float(stats.t.ppf((1 + LEVEL) / 2, runs - 1))
    reach = t * deviation * sqrt(1 + 1 / runs)
    kind = f"{100 * LEVEL:g} % prediction interval over {runs} seeds"
    return Band(mean, max(mean - reach, 0.0), min(mean + reach, 1.0), kind)


def band_of_images(error: float, n: int) -> Band:
    """Returns the band in which n images leave an error whose true rate is the published one.

    It knows nothing of the spread over seeds, and is too narrow for it on large test sets.

    Args:
        error: the published error, a fraction.
        n: number of images evaluated.
    """
    tail = (1 - LEVEL) / 2
    low, high = (float(stats.binom.ppf(q, n, error)) / n for q in (tail, 1 - tail))
    return Band(error, low, high, f"{100 * LEVEL:g} % binomial interval of {n:,} images")
