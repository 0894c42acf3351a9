"""Whether the mean over our seeds is what was published: one rule, stated in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, median, stdev
from typing import Final

from scipy import stats

from cnn_jax.diagnostics.bands import LEVEL, Band
from cnn_jax.models.facts import Spread

OF_MEAN: Final = 0.95  # of the interval of a mean
RULE: Final = (
    "A row is inside where the mean over our k seeds differs from the published figure by no more "
    "than t * sqrt(s^2 / k + v), and better or worse beyond it. s is the standard deviation over "
    "our seeds; v is the variance of the published figure: p (1 - p) / n for one figure p of "
    "n test images, or std^2 / runs where the paper prints a spread. "
    f"t is Student's at {100 * LEVEL:g} %, with the degrees of freedom of Welch and Satterthwaite."
)


@dataclass(frozen=True)
class Measured:
    """The errors of some seeds.

    Attributes:
        mean: of them.
        median: of them.
        low: lower end of the interval of the mean, None for one seed.
        high: its upper end.
    """

    mean: float
    median: float
    low: float | None
    high: float | None


def measured(errors: Sequence[float]) -> Measured:
    """Returns mean and median of errors, with the interval of the mean by Student's t.

    Args:
        errors: of at least one seed, fractions.
    """
    mean, k = fmean(errors), len(errors)
    if k == 1:
        return Measured(mean, mean, None, None)
    reach = float(stats.t.ppf((1 + OF_MEAN) / 2, k - 1)) * stdev(errors) / sqrt(k)
    return Measured(mean, median(errors), max(mean - reach, 0.0), min(mean + reach, 1.0))


def band(published: float, spread: Spread | None, n: int, errors: Sequence[float]) -> Band:
    """Returns the band around a published error in which the mean of our seeds may lie: `RULE`.

    Args:
        published: a fraction.
        spread: of the published error, where it is printed.
        n: number of test images.
        errors: of our seeds, fractions; of one seed the spread is not known, and left out.
    """
    k = len(errors)
    ours = stdev(errors) ** 2 / k if k > 1 else 0.0
    theirs, freedom = published * (1 - published) / n, inf
    if spread is not None:
        theirs, freedom = (spread.std / 100) ** 2 / spread.runs, max(spread.runs - 1, 1)
    parts = [(v, f) for v, f in ((ours, k - 1), (theirs, freedom)) if v > 0]
    slack = sum(v**2 / f for v, f in parts)
    together = (ours + theirs) ** 2 / slack if slack > 0 else inf
    tail = (1 + LEVEL) / 2
    t = float(stats.norm.ppf(tail) if together == inf else stats.t.ppf(tail, together))
    reach = t * sqrt(ours + theirs)
    whose = (
        f"{spread.runs} published runs"
        if spread is not None
        else f"{n:,} test images of one figure"
    )
    seeds = f"{k} seeds of ours" if k > 1 else "one seed of ours, its spread unknown"
    kind = f"{100 * LEVEL:g} % band of {whose} and {seeds}"
    return Band(published, max(published - reach, 0.0), min(published + reach, 1.0), kind)
