"""Errors as a screen and a table tell them: top-5 where there are enough classes for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METRICS = {"top1": "top-1", "top5": "top-5"}


def metrics_told(classes: int | None) -> tuple[str, ...]:
    """Returns the errors that say something: of five classes, all are among the first five.

    Args:
        classes: how many there are; None: not known.
    """
    return tuple(METRICS) if classes is None or classes > 5 else ("top1",)


def errors_in_words(errors: Mapping[str, Any], classes: int | None, prefix: str = "") -> str:
    """Returns for example `top-1 error 1.00 %, top-5 error 0.00 %`.

    Args:
        errors: fractions, as `top1_error`.
        classes: how many there are; None: not known.
        prefix: of the names of the errors.

    Example:
        >>> errors_in_words({"top1_error": 0.01, "top5_error": 0.0}, classes=2)
        'top-1 error 1.00 %'
    """
    return ", ".join(
        f"{METRICS[name]} error {100 * errors[f'{prefix}{name}_error']:.2f} %"
        for name in metrics_told(classes)
    )
