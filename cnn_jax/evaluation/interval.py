"""What the images that were counted leave open of an error: Wilson's interval."""

from __future__ import annotations

from typing import Final

from scipy import stats

CONFIDENCE: Final = 0.95


def wilson(error: float, n: int) -> tuple[float, float]:
    """Returns the interval of 95 % of an error, fractions.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference. It
    knows nothing of other seeds.

    Args:
        error: fraction wrong.
        n: examples counted, at least one.

    Example:
        >>> low, high = wilson(0.0, 100)
        >>> f"{low:.3f} to {high:.3f}"
        '0.000 to 0.037'
    """
    interval = stats.binomtest(round(error * n), n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
