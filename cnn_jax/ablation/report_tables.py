"""The tables of an ablation's report. Errors are in percent, mean ± half the interval of t."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cnn_jax.ablation.convergence import Convergence
from cnn_jax.ablation.effects import Effects
from cnn_jax.ablation.statistics import CONFIDENCE, VALIDATION, Cell, Difference, in_words
from cnn_jax.ablation.table import Table

NAMES = {
    "validation_error": "validation error",
    "test_error": "test error",
    "train_error": "train error",
    "gap": "gap",
}
TEST_NAMES = {"t": "Student's paired t test", "wilcoxon": "Wilcoxon's signed-rank test"}
DIVERGED, NOTHING = "diverged", ""


def cell_table(
    columns: Mapping[str, Sequence[Cell]],
    judge: str,
    differences: Sequence[Difference],
    baseline: Mapping[str, str],
    test: str,
    effects: Effects,
) -> Table:
    """Returns one row a cell: errors, and the difference from the baseline.

    Args:
        columns: metric -> cells.
        judge: the metric by which cells are compared; the best is marked on validation alone.
        differences: of that metric.
        baseline: factor -> label.
        test: that was made, `t` or `wilcoxon`.
        effects: of that metric; why there are none is said below.
    """
    judged = columns[judge]
    apart = {tuple(difference.levels.values()): difference for difference in differences}
    tested = any(difference.p is not None for difference in differences)
    rows = []
    for i, cell in enumerate(judged):
        total = len(cell.values) + len(cell.diverged)
        row = [*cell.levels.values(), f"{len(cell.values)}/{total}"]
        row += [_error(cells[i]) for cells in columns.values()]
        row += _compared(apart.get(tuple(cell.levels.values())), tested)
        rows.append(tuple(row))
    factors = list(judged[0].levels)
    headers = [*factors, "n", *(f"{NAMES[name].removesuffix(' error')}, %" for name in columns)]
    at = len(factors) + 1 + list(columns).index(judge)
    return Table(
        "Errors of each cell",
        (*headers, "difference, points", *(["p"] if tested else [])),
        tuple(rows),
        words=len(factors),
        best=_best(judged, at) if judge == VALIDATION else frozenset(),
        notes=(
            f"{_means(judged)}; n: members that came to the end, of all; no mean contains one that "
            "diverged. Gap: test less train error.",
            _judge_in_words(judge),
            _difference_in_words(judge, differences, baseline, test),
            *_few_seeds(judged),
            *([] if effects.effects or len(judged) < 2 else effects.notes),
        ),
    )


def test_table(differences: Sequence[Difference], baseline: Mapping[str, str], test: str) -> Table:
    """Returns how far the test error of each cell is from that of the baseline.

    Args:
        differences: of the test error.
        baseline: factor -> label.
        test: that was made, `t` or `wilcoxon`.
    """
    tested = any(difference.p is not None for difference in differences)
    factors = list(baseline)
    rows = tuple((*d.levels.values(), *_compared(d, tested)) for d in differences)
    return Table(
        "Test error: difference from the baseline",
        (*factors, "difference, points", *(["p"] if tested else [])),
        rows,
        words=len(factors),
        notes=(_difference_in_words("test_error", differences, baseline, test),),
    )


def _compared(difference: Difference | None, tested: bool) -> list[str]:
    """The last columns of a row."""
    if difference is None:
        texts = ["baseline", NOTHING]
    else:
        texts = [_difference(difference), _p(difference.p_corrected)]
    return texts if tested else texts[:1]


def _means(cells: Sequence[Cell]) -> str:
    """What the errors of a table are."""
    if all(len(cell.values) < 2 for cell in cells):
        return "One seed: no intervals"
    return f"Mean ± half the {CONFIDENCE:.0%} interval of the mean (Student's t)"


def _judge_in_words(judge: str) -> str:
    if judge == VALIDATION:
        return "Cells are compared on validation, and the best there is marked; test is reported."
    return (
        "No validation split (config.data.validation_folds): test stands in for it in the "
        "comparisons, and no cell is called the best."
    )


def _difference_in_words(
    judge: str, differences: Sequence[Difference], baseline: Mapping[str, str], test: str
) -> str:
    n = sum(difference.p is not None for difference in differences)
    text = (
        f"Difference: {NAMES[judge]} less that of the baseline ({in_words(baseline)}), over the "
        "seeds that ended in both"
    )
    if not n:
        return f"{text}."
    return f"{text}; p: {TEST_NAMES[test]}, Holm's correction for {n} comparison{'s' * (n != 1)}."


def _few_seeds(cells: Sequence[Cell]) -> list[str]:
    finished = [len(cell.values) for cell in cells]
    if 1 in finished and max(finished) > 1:
        return ["A cell with one finished member has no interval, and no test against it."]
    return []


def _best(cells: Sequence[Cell], column: int) -> frozenset[tuple[int, int]]:
    """Where the lowest mean stands, of several."""
    means = {i: s.mean for i, cell in enumerate(cells) if (s := cell.summary())}
    if len(means) < 2:
        return frozenset()
    lowest = min(means.values())
    return frozenset((i, column) for i, mean in means.items() if mean == lowest)


def pivot_table(cells: Sequence[Cell], metric: str) -> Table:
    """Returns the errors with the levels of the last factor as columns.

    Args:
        cells: of the metric.
        metric: on validation the best is marked, and on no other.
    """
    *row_factors, column_factor = cells[0].levels
    labels = list(dict.fromkeys(cell.levels[column_factor] for cell in cells))
    by_labels = {tuple(cell.levels.values()): cell for cell in cells}
    rows = list(dict.fromkeys(key[:-1] for key in by_labels))
    at = {(row, label): by_labels.get((*row, label)) for row in rows for label in labels}
    texts = tuple((*row, *(_counted_error(at[row, label]) for label in labels)) for row in rows)
    means = {
        (i, len(row_factors) + j): s.mean
        for i, row in enumerate(rows)
        for j, label in enumerate(labels)
        if (cell := at[row, label]) is not None and (s := cell.summary())
    }
    lowest = min(means.values(), default=None) if metric == VALIDATION else None
    return Table(
        f"{NAMES[metric].capitalize()}, %, by {column_factor}",
        (*row_factors, *(f"{column_factor} = {label}" for label in labels)),
        texts,
        words=len(row_factors),
        best=frozenset(where for where, mean in means.items() if mean == lowest),
        notes=tuple(
            ["(3/4): the mean of so many of the members; the others diverged."]
            if any(cell.values and cell.diverged for cell in cells)
            else []
        ),
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


def _counted_error(cell: Cell | None) -> str:
    """The error of a cell, with its count where some of its members are not in the mean."""
    if cell is None or not (cell.values and cell.diverged):
        return _error(cell)
    return f"{_error(cell)} ({len(cell.values)}/{len(cell.values) + len(cell.diverged)})"


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
