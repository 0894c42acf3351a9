"""The tables of an ablation's report. Errors are in percent, mean ± half the interval of t."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnn_jax.ablation.convergence import Convergence
from cnn_jax.ablation.effects import Effects
from cnn_jax.ablation.statistics import CONFIDENCE, Cell, Difference, in_words
from cnn_jax.ablation.table import Table

NAMES = {
    "test_error": "test error",
    "train_error": "train error",
    "gap": "gap",
}
TEST_NAMES = {"t": "Student's paired t test", "wilcoxon": "Wilcoxon's signed-rank test"}
DIVERGED, NOTHING = "diverged", ""


def cell_table(
    columns: Mapping[str, Sequence[Cell]],
    differences: Sequence[Difference],
    baseline: Mapping[str, str],
    test: str,
) -> Table:
    """Returns one row a cell: errors, and the difference from the baseline.

    Args:
        columns: metric -> cells; `test_error` is the one that is judged.
        differences: of the judged metric.
        baseline: factor -> label.
        test: that was made, `t` or `wilcoxon`.
    """
    judged = columns["test_error"]
    apart = {tuple(difference.levels.values()): difference for difference in differences}
    rows = []
    for i, cell in enumerate(judged):
        total = len(cell.values) + len(cell.diverged)
        row = [*cell.levels.values(), f"{len(cell.values)}/{total}"]
        row += [_error(cells[i]) for cells in columns.values()]
        difference = apart.get(tuple(cell.levels.values()))
        if difference is None:
            row += ["baseline", NOTHING]
        else:
            row += [_difference(difference), _p(difference.p_corrected)]
        rows.append(tuple(row))
    factors, n = list(judged[0].levels), sum(d.p is not None for d in differences)
    headers = [*factors, "n", *(f"{NAMES[name]}, %" for name in columns)]
    return Table(
        "Errors of each cell",
        (*headers, "difference, points", "p"),
        tuple(rows),
        words=len(factors),
        best=_best(judged, len(factors) + 1),
        notes=(
            f"Mean ± half the {CONFIDENCE:.0%} interval of the mean (Student's t); n: members that "
            "came to the end, of all; no mean contains one that diverged. Gap: test less train "
            "error.",
            f"Difference: test error less that of the baseline ({in_words(baseline)}), over the "
            f"seeds that ended in both; p: {TEST_NAMES[test]}, Holm's correction for {n} "
            f"comparison{'s' * (n != 1)}.",
            *_few_seeds(judged),
        ),
    )


def _few_seeds(cells: Sequence[Cell]) -> list[str]:
    if any(len(cell.values) == 1 for cell in cells):
        return ["A cell with one finished member has no interval, and no test against it."]
    return []


def _best(cells: Sequence[Cell], column: int) -> frozenset[tuple[int, int]]:
    """Where the lowest mean stands, of several."""
    means = {i: s.mean for i, cell in enumerate(cells) if (s := cell.summary())}
    if len(means) < 2:
        return frozenset()
    lowest = min(means.values())
    return frozenset((i, column) for i, mean in means.items() if mean == lowest)


def pivot_table(cells: Sequence[Cell]) -> Table:
    """Returns the test errors with the levels of the last factor as columns."""
    *row_factors, column_factor = cells[0].levels
    labels = list(dict.fromkeys(cell.levels[column_factor] for cell in cells))
    by_labels = {tuple(cell.levels.values()): cell for cell in cells}
    rows = list(dict.fromkeys(key[:-1] for key in by_labels))
    at = {(row, label): by_labels.get((*row, label)) for row in rows for label in labels}
    texts = tuple((*row, *(_error(at[row, label]) for label in labels)) for row in rows)
    means = {
        (i, len(row_factors) + j): s.mean
        for i, row in enumerate(rows)
        for j, label in enumerate(labels)
        if (cell := at[row, label]) is not None and (s := cell.summary())
    }
    lowest = min(means.values(), default=None)
    return Table(
        f"Test error, %, by {column_factor}",
        (*row_factors, *(f"{column_factor} = {label}" for label in labels)),
        texts,
        words=len(row_factors),
        best=frozenset(where for where, mean in means.items() if mean == lowest),
    )


def effect_table(effects: Effects, metric: str) -> Table:
    """Returns the analysis of variance of a metric."""
    rows = tuple(
        (
            " x ".join(effect.factors),
            f"{effect.freedom}, {effects.residual_freedom}",
            f"{effect.f:.2f}",
            _p(effect.p),
            f"{effect.share:.3f}",
        )
        for effect in effects.effects
    )
    return Table(
        f"Effects on the {NAMES[metric]}: analysis of variance, seeds as blocks",
        ("effect", "degrees of freedom", "F", "p", "partial η²"),
        rows,
        notes=tuple(effects.notes),
    )


def convergence_table(runs: Sequence[Convergence], baseline: Mapping[str, str]) -> Table:
    """Returns how many steps each cell takes to the error at which the baseline ends."""
    factors = list(runs[0].levels)
    own = next(run.median for run in runs if run.levels == dict(baseline))
    rows = []
    for run in runs:
        ratio = own / run.median if own is not None and run.median else None
        rows.append(
            (
                *run.levels.values(),
                f"{len(run.steps)}/{run.members}",
                NOTHING if run.median is None else f"{run.median:g}",
                f"{min(run.steps)} to {max(run.steps)}" if run.steps else NOTHING,
                NOTHING if ratio is None else f"{ratio:.2g}",
            )
        )
    return Table(
        "Steps to the validation error at which the baseline of the same seed ends",
        (*factors, "arrived", "steps, median", "lowest to highest", "times as fast"),
        tuple(rows),
        words=len(factors),
        notes=(
            "The median is over all members, one that never arrives being the slowest; it is as "
            "fine as the evaluations of validation are frequent.",
        ),
    )


def _error(cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    if (summary := cell.summary()) is None:
        return DIVERGED if cell.diverged else NOTHING
    return f"{100 * summary.mean:.2f}{_half(summary.interval)}"


def _half(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ± {50 * (interval[1] - interval[0]):.2f}"


def _difference(difference: Difference) -> str:
    if difference.mean is None:
        return NOTHING
    return f"{100 * difference.mean:+.2f}{_half(difference.interval)}"


def _p(p: float | None) -> str:
    if p is None or math.isnan(p):
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}"
