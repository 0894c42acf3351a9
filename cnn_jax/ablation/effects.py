"""Main effects of the factors and their interactions, with the seeds as blocks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import statsmodels.formula.api as formulas
from scipy import stats
from statsmodels.stats.anova import anova_lm

from cnn_jax.ablation.statistics import EQUAL, Cell, Summary, in_words, summarise

UNEQUAL_SPREAD = 0.01  # p of Levene's test below which the spreads are called unequal
LEAST_FREEDOM = 3  # of the residuals: with fewer an F says nothing, whatever its p


@dataclass(frozen=True)
class Effect:
    """A line of the analysis of variance.

    Attributes:
        factors: one for a main effect, several for an interaction.
        freedom: degrees of freedom.
        sum_of_squares: of type II: beside everything that does not contain the effect.
        f: its mean square over that of the residuals.
        p: probability of an F at least as large without the effect.
        share: partial eta squared: sum of squares over itself and that of the residuals.
    """

    factors: tuple[str, ...]
    freedom: int
    sum_of_squares: float
    f: float
    p: float
    share: float


@dataclass(frozen=True)
class Effects:
    """An analysis of variance.

    Attributes:
        effects: main effects, then interactions.
        residual_freedom: degrees of freedom of the residuals.
        notes: what could not be estimated and why, and what to mind; sentences.
    """

    effects: list[Effect]
    residual_freedom: int
    notes: list[str]


def analyse(cells: Sequence[Cell]) -> Effects:
    """Splits the variance of a metric among factors, their interactions and the seeds.

    The model is that of a randomised complete block design: an additive term for every seed, all
    factors and all their interactions, by least squares; sums of squares are of type II, which is
    any other type where no member is missing (R. A. Fisher 1935; F. Yates 1934 for unequal counts).
    An interaction that the finished members do not determine is left out, and named.

    Args:
        cells: of one metric.
    """
    rows = [
        (value, str(seed), *cell.levels.values())
        for cell in cells
        for seed, value in cell.values.items()
    ]
    factors = list(cells[0].levels)
    if not rows:
        return Effects([], 0, [])
    if len({seed for _, seed, *_ in rows}) < 2:
        why = "No analysis of variance: it needs several seeds, as in --seeds=5."
        return Effects([], 0, [why])
    names = {f"f{i}": factor for i, factor in enumerate(factors)}
    frame = pd.DataFrame(rows, columns=["y", "seed", *names])
    terms, left_out = _estimable(frame, names)
    notes = [_why(names, left_out, cells)] if left_out else []
    fit = _model(frame, terms).fit()
    if (freedom := int(fit.df_resid)) < LEAST_FREEDOM:
        few = (
            f"No analysis of variance: of {LEAST_FREEDOM} degrees of freedom that the residuals "
            f"need {freedom or 'none'} {'is' if freedom < 2 else 'are'} left; "
            "more seeds, as in --seeds=5."
        )
        return Effects([], freedom, [few])
    if fit.ssr <= EQUAL**2 * len(frame):
        return Effects(
            [], 0, [*notes, "No analysis of variance: the members of a cell do not differ."]
        )
    table = anova_lm(fit, typ=2)
    effects = [
        Effect(
            tuple(names[name] for name in term),
            int(line["df"]),
            float(line["sum_sq"]),
            float(line["F"]),
            float(line["PR(>F)"]),
            float(line["sum_sq"] / (line["sum_sq"] + fit.ssr)),
        )
        for term in terms
        for line in [table.loc[_formula_term(term)]]
    ]
    return Effects(effects, int(fit.df_resid), [*notes, *_unequal_spread(cells)])


def _estimable(
    frame: pd.DataFrame, names: dict[str, str]
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Splits all effects, the simple ones first, into those that the data determine and others."""
    terms: list[tuple[str, ...]] = []
    left_out: list[tuple[str, ...]] = []
    for order in range(1, len(names) + 1):
        for term in combinations(names, order):
            contains_one = any(set(other) < set(term) for other in left_out)
            varied = all(frame[name].nunique() > 1 for name in term)
            if varied and not contains_one and _determined(frame, [*terms, term]):
                terms.append(term)
            else:
                left_out.append(term)
    return terms, left_out


def _determined(frame: pd.DataFrame, terms: list[tuple[str, ...]]) -> bool:
    """Whether least squares has one solution, and something is left for the residuals."""
    matrix = _model(frame, terms).exog
    return np.linalg.matrix_rank(matrix) == matrix.shape[1] < matrix.shape[0]


def _model(frame: pd.DataFrame, terms: list[tuple[str, ...]]) -> formulas.ols:
    return formulas.ols(" + ".join(["y ~ C(seed)", *map(_formula_term, terms)]), frame)


def _formula_term(term: tuple[str, ...]) -> str:
    return ":".join(f"C({name})" for name in term)


def _why(names: dict[str, str], left_out: list[tuple[str, ...]], cells: Sequence[Cell]) -> str:
    named = ", ".join(" x ".join(names[name] for name in term) for term in left_out)
    empty = [in_words(cell.levels) for cell in cells if not cell.values]
    reason = f" (no finished member: {'; '.join(empty)})" if empty else ""
    return f"Not estimated, since the finished members do not determine them: {named}{reason}."


def _unequal_spread(cells: Sequence[Cell]) -> list[str]:
    samples = [list(cell.values.values()) for cell in cells if len(cell.values) > 1]
    if len(samples) < 2:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no spread anywhere: p is nan
        p = float(stats.levene(*samples).pvalue)
    if not p < UNEQUAL_SPREAD:
        return []
    small = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    return [
        f"The spread within cells is not equal (Levene's test, {small}), which the F test assumes: "
        "take small effects with care."
    ]


def marginal(
    cells: Sequence[Cell], factors: Sequence[str]
) -> dict[tuple[str, ...], Summary | None]:
    """Returns the figures of each combination of levels of some factors, over all others.

    Args:
        cells: of one metric.
        factors: one for a main effect, two for an interaction.

    Returns:
        Labels, in the order of `factors` -> summary. The sample has one value a seed, the mean over
        the cells with these levels; the mean of its cell stands in for a member that diverged. A
        cell that diverged as a whole is left out; None where all did.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.levels[factor] for factor in factors), []).append(cell)
    return {labels: _over_cells([c for c in group if c.values]) for labels, group in groups.items()}


def _over_cells(cells: Sequence[Cell]) -> Summary | None:
    if not cells:
        return None
    means = [float(np.mean(list(cell.values.values()))) for cell in cells]
    seeds = sorted({seed for cell in cells for seed in cell.values})
    return summarise(
        [
            float(np.mean([c.values.get(seed, m) for c, m in zip(cells, means, strict=True)]))
            for seed in seeds
        ]
    )
