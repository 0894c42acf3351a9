"""What a run is judged by: its error on validation. Test is reported once, at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_jax.evaluation.errors_in_words import errors_in_words
from cnn_jax.evaluation.exact import counted

NO_VALIDATION = (
    "no validation split: log lines and curves show train alone, and a choice by the test error "
    "would be one on test; --config.data.validation_folds=10 holds a tenth of train out"
)
Line = Mapping[str, Any]


def judged(lines: Sequence[Line]) -> dict[str, Any]:
    """Returns what `result.json` says of validation.

    Args:
        lines: of `metrics.jsonl`.

    Returns:
        `validation`, the last evaluation, and `best_validation`, the first of those with the lowest
        top-1 error, which `checkpoints/` keeps: errors, loss, counts, step and epoch of each; None
        where nothing is held out.
    """
    validation = [line for line in lines if line["kind"] == "validation"]
    if not validation:
        return {"validation": None, "best_validation": None}
    best = min(validation, key=lambda line: line["top1_error"])
    return {"validation": _without_kind(validation[-1]), "best_validation": _without_kind(best)}


def validation_in_words(result: Line) -> str:
    """Returns the line of the last screen that says how the run did on validation.

    Args:
        result: the content of `result.json`; empty is returned for one of an earlier version.
    """
    if "validation" not in result:
        return ""
    if result["validation"] is None:
        return f"{NO_VALIDATION}\n"
    last, best = result["validation"], result["best_validation"]
    errors = errors_in_words(last, result.get("classes"))
    return (
        f"validation: {errors}, {counted(last)}; lowest {100 * best['top1_error']:.2f} % "
        f"at epoch {best['epoch']:g}\n"
    )


def _without_kind(line: Line) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "kind"}
