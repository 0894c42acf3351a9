"""What the members of an ablation say: cells with intervals, and paired comparisons of them.

A cell is one choice of a level for every factor; its members differ in the seed alone, and members
of different cells that share a seed saw the same data in the same order. A member that diverged has
no error: it is counted, and left out of every mean. Errors are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cnn_jax.config.problems import InputError, hint

CONFIDENCE = 0.95
RESAMPLES = 9999
VALIDATION, TEST = "validation_error", "test_error"
GAP = "gap"  # test error less train error
TESTS = ("t", "wilcoxon")
# Errors are counts over counts: differences below this are those of their rounding.
EQUAL = 1e-12

Interval = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """The members of one choice of levels.

    Attributes:
        levels: factor -> label.
        values: seed -> value of the metric, of the members that came to the end.
        diverged: seeds of those that did not.
    """

    levels: dict[str, str]
    values: dict[int, float] = field(default_factory=dict)
    diverged: list[int] = field(default_factory=list)

    def summary(self) -> Summary | None:
        """Returns the figures of the cell; None where no member came to the end."""
        return summarise(list(self.values.values())) if self.values else None

    def bootstrap(self) -> Interval | None:
        """Returns the interval of the mean by bootstrap (BCa), seeded; None for fewer than three.

        B. Efron (1987), Better bootstrap confidence intervals.
        """
        return _bootstrap(np.array(list(self.values.values())))


@dataclass(frozen=True)
class Summary:
    """Figures of a sample.

    Attributes:
        n: its size.
        mean: arithmetic mean.
        deviation: standard deviation, with n - 1; None for a sample of one.
        median: median.
        interval: of the mean, by Student's t; None for a sample of one.
    """

    n: int
    mean: float
    deviation: float | None
    median: float
    interval: Interval | None


@dataclass(frozen=True)
class Difference:
    """A cell less the baseline, over the seeds that came to the end in both.

    Attributes:
        levels: factor -> label of the cell.
        n: how many such seeds.
        mean: of the differences; None without such a seed.
        interval: of that mean, by Student's t; None for fewer than two.
        p: of the paired test; None where there is nothing to test: fewer than two seeds, or
            differences that are all the same and not zero.
        p_corrected: p by Holm's method, for as many comparisons as were tested.
    """

    levels: dict[str, str]
    n: int
    mean: float | None
    interval: Interval | None
    p: float | None
    p_corrected: float | None = None


def cells_of(members: Sequence[Mapping[str, Any]], metric: str) -> list[Cell]:
    """Gathers the members into cells, in the order in which they stand.

    Args:
        members: of `ablation.json`.
        metric: a key of `final`, or `gap`: test error less train error.

    Returns:
        Every cell, also those in which no member came to the end. A value that was not measured,
        as of validation where nothing is held out, is left out.
    """
    by_levels: dict[tuple[tuple[str, str], ...], Cell] = {}
    for member in members:
        levels = dict(member["factors"])
        cell = by_levels.setdefault(tuple(levels.items()), Cell(levels))
        if member["state"] != "done":
            cell.diverged.append(member["seed"])
        elif (value := metric_of(member["final"], metric)) is not None:
            cell.values[member["seed"]] = value
    return list(by_levels.values())


def metric_of(final: Mapping[str, Any], metric: str) -> float | None:
    """Returns a metric of a finished member; None where it was not measured."""
    if metric == GAP:
        test, train = (metric_of(final, f"{split}_error") for split in ("test", "train"))
        return None if test is None or train is None else test - train
    value = final.get(metric)
    return None if value is None or not math.isfinite(value) else float(value)


def judge_of(members: Sequence[Mapping[str, Any]]) -> str:
    """Returns the metric by which members are compared: `validation_error`.

    `test_error` stands in for it where not every member that came to the end has one: nothing is
    held out, and no cell can be called the best.

    Args:
        members: of `ablation.json`.
    """
    done = [member["final"] for member in members if member["state"] == "done"]
    measured = all(metric_of(final, VALIDATION) is not None for final in done)
    return VALIDATION if measured else TEST


def summarise(values: Sequence[float]) -> Summary:
    """Returns the figures of a sample of at least one."""
    sample, n = np.asarray(values, dtype=float), len(values)
    mean, median = float(np.mean(sample)), float(np.median(sample))
    if n == 1:
        return Summary(n, mean, None, median, None)
    deviation = float(np.std(sample, ddof=1))
    if np.ptp(sample) <= EQUAL:
        return Summary(n, mean, 0.0, median, (mean, mean))
    return Summary(n, mean, deviation, median, _t_interval(sample))


def _t_interval(sample: np.ndarray) -> Interval:
    low, high = stats.t.interval(
        CONFIDENCE, len(sample) - 1, loc=np.mean(sample), scale=stats.sem(sample)
    )
    return float(low), float(high)


def _bootstrap(sample: np.ndarray) -> Interval | None:
    if len(sample) < 3:
        return None
    if np.ptp(sample) <= EQUAL:
        return float(np.mean(sample)), float(np.mean(sample))
    interval = stats.bootstrap(
        (sample,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def differences(
    cells: Sequence[Cell], baseline: Mapping[str, str], test: str = "t"
) -> list[Difference]:
    """Compares every other cell with the baseline, seed by seed.

    Args:
        cells: of one metric.
        baseline: factor -> label; one of the cells.
        test: `t`, Student's paired test, or `wilcoxon`, the signed-rank test.

    Returns:
        One difference for each cell but the baseline, in their order. p is corrected by Holm's
        method (S. Holm 1979, A simple sequentially rejective multiple test procedure).

    Raises:
        InputError: there is no such test or no such cell.
    """
    if test not in TESTS:
        raise InputError(f"test {test!r} is unknown{hint(test, TESTS)}")
    at = next((cell for cell in cells if cell.levels == dict(baseline)), None)
    if at is None:
        raise InputError(f"the baseline {in_words(baseline)} is none of the cells")
    differences = [_difference(cell, at, test) for cell in cells if cell is not at]
    tested = [difference.p for difference in differences if difference.p is not None]
    corrected = iter(multipletests(tested, method="holm")[1].tolist() if tested else [])
    return [
        replace(difference, p_corrected=next(corrected)) if difference.p is not None else difference
        for difference in differences
    ]


def _difference(cell: Cell, baseline: Cell, test: str) -> Difference:
    seeds = [seed for seed in cell.values if seed in baseline.values]
    pairs = np.array([(cell.values[seed], baseline.values[seed]) for seed in seeds])
    if not seeds:
        return Difference(cell.levels, 0, None, None, None)
    apart = pairs[:, 0] - pairs[:, 1]
    apart[np.abs(apart) <= EQUAL] = 0.0
    summary = summarise(apart.tolist())
    return Difference(cell.levels, len(seeds), summary.mean, summary.interval, _p(apart, test))


def _p(apart: np.ndarray, test: str) -> float | None:
    if len(apart) < 2:
        return None
    if np.ptp(apart) <= EQUAL:
        return 1.0 if not apart.any() else None
    if test == "wilcoxon":
        return float(stats.wilcoxon(apart).pvalue)
    return float(stats.ttest_1samp(apart, 0.0).pvalue)


def baseline_of(tree: Mapping[str, Any]) -> dict[str, str]:
    """Returns the baseline of an ablation: the one it names, or the first level of each factor."""
    first = {name: levels[0]["label"] for name, levels in tree["factors"].items()}
    return {**first, **(tree.get("baseline") or {})}


def in_words(levels: Mapping[str, str]) -> str:
    """Returns for example `init = he, norm = batch`."""
    return ", ".join(f"{factor} = {label}" for factor, label in levels.items())
