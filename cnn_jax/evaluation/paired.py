"""Two networks on the same examples: how often one is right where the other is wrong.

Most examples are easy for both, and tell nothing of a difference; the interval of each error knows
nothing of that, and is too wide for a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy import stats

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.predictions import Predictions, different

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Paired:
    """How the top-1 answers of two networks agree.

    Attributes:
        both: examples that both have right.
        first: that the first alone has right.
        second: that the second alone has right.
        neither: that both have wrong.
    """

    both: int
    first: int
    second: int
    neither: int

    @property
    def n(self) -> int:
        """How many examples count."""
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """Error of the second less that of the first, a fraction."""
        return (self.first - self.second) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Of the difference, of 95 %.

        Wald's for matched pairs with half an example more in each of the four counts: A. Agresti &
        Y. Min (2005), Simple improved confidence intervals for comparing matched proportions,
        Statistics in Medicine 24, section 3.
        """
        first, second, n = self.first + 0.5, self.second + 0.5, self.n + 2
        middle = (first - second) / n
        half = stats.norm.ppf((1 + CONFIDENCE) / 2) * sqrt(first + second - n * middle**2) / n
        return max(middle - half, -1.0), min(middle + half, 1.0)

    @property
    def p(self) -> float:
        """Of McNemar's test (1947), exact: that either is right alone is equally probable."""
        alone = self.first + self.second
        return float(stats.binomtest(self.first, alone, 0.5).pvalue) if alone else 1.0


def paired(first: Predictions, second: Predictions) -> Paired:
    """Returns how two networks agree on the examples that count for both.

    Raises:
        InputError: they are not of the same examples and classes, or none counts.
    """
    if what := different(first, second):
        raise InputError(f"they differ in their {what}: they must be of the same examples")
    taken = first.taken & second.taken
    if not taken.any():
        raise InputError("no example can be read and counts for both")
    one, other = (predictions.ranks()[taken] == 0 for predictions in (first, second))
    counts = ((one & other).sum(), (one & ~other).sum(), (~one & other).sum())
    both, alone, reverse = map(int, counts)
    return Paired(both, alone, reverse, int(taken.sum()) - both - alone - reverse)
