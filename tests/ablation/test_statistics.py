"""Figures of cells and paired comparisons, beside the same computed by hand."""

import math

import numpy as np
import pytest

from cnn_jax.ablation.statistics import (
    GAP,
    Cell,
    baseline_of,
    cells_of,
    differences,
    metric_of,
    summarise,
)
from cnn_jax.config.problems import InputError
from tests.ablation.members import grid, member

# Student's t at 97.5 %, from printed tables.
T = {1: 12.706, 2: 4.303, 3: 3.182}


def test_figures_of_a_sample() -> None:
    found = summarise([0.02, 0.03, 0.07])
    assert found.n == 3
    assert found.mean == pytest.approx(0.04) and found.median == 0.03
    deviation = math.sqrt((0.02**2 + 0.01**2 + 0.03**2) / 2)
    assert found.deviation == pytest.approx(deviation)
    half = T[2] * deviation / math.sqrt(3)
    assert found.interval == pytest.approx((0.04 - half, 0.04 + half), rel=1e-3)


def sample(values: list[float]) -> Cell:
    return Cell({"init": "a"}, dict(enumerate(values)))


def test_the_bootstrap() -> None:
    cell = sample([0.02, 0.03, 0.07])
    found = cell.bootstrap()
    assert found is not None and 0.02 <= found[0] < 0.04 < found[1] <= 0.07
    assert found == cell.bootstrap(), "seeded"
    large = sample(np.random.default_rng(1).normal(0.1, 0.02, 400).tolist())
    summary = large.summary()
    assert summary is not None and large.bootstrap() == pytest.approx(summary.interval, abs=2e-4)


def test_one_seed_has_no_interval_and_two_no_bootstrap() -> None:
    one, two = summarise([0.1]), summarise([0.1, 0.2])
    assert one.deviation is None and one.interval is None
    assert two.interval is not None and sample([0.1, 0.2]).bootstrap() is None
    half = T[1] * math.sqrt(0.005) / math.sqrt(2)
    assert two.interval[1] - 0.15 == pytest.approx(half, rel=1e-3)


def test_no_spread() -> None:
    found = summarise([0.25, 0.25, 0.25])
    assert found.deviation == 0 and found.interval == (0.25, 0.25)
    assert sample([0.25, 0.25, 0.25]).bootstrap() == (0.25, 0.25)


def test_cells_leave_out_what_diverged_and_count_it() -> None:
    cells = cells_of(grid({("a", "x"): [0.1, None, 0.3], ("b", "x"): [None, None, None]}), "n")
    assert [cell.levels for cell in cells] == [
        {"init": "a", "norm": "x"},
        {"init": "b", "norm": "x"},
    ]
    cells = cells_of(grid({("a", "x"): [0.1, None, 0.3], ("b", "x"): [None] * 3}), "test_error")
    assert cells[0].values == {0: 0.1, 2: 0.3} and cells[0].diverged == [1]
    assert cells[1].summary() is None and cells[1].diverged == [0, 1, 2]


def test_what_was_not_measured_is_left_out() -> None:
    assert metric_of({"test_error": 0.3, "train_error": 0.1}, GAP) == pytest.approx(0.2)
    assert metric_of({"test_error": 0.3}, GAP) is None
    assert metric_of({"validation_error": None}, "validation_error") is None
    assert metric_of({"validation_error": float("nan")}, "validation_error") is None
    lone = member({"init": "a"}, 0, 0.1)
    assert cells_of([lone], "validation_top5")[0].values == {}


BASELINE = {"init": "a", "norm": "x"}


def test_differences_are_paired_by_seed() -> None:
    # Seeds that spread far more than the cells differ: only the pairing shows it.
    cells = cells_of(
        grid(
            {
                ("a", "x"): [0.10, 0.20, 0.30, 0.40],
                ("b", "x"): [0.11, 0.23, 0.32, 0.42],
                ("c", "x"): [0.10, 0.21, None, 0.38],
            }
        ),
        "test_error",
    )
    b, c = differences(cells, BASELINE)
    apart = np.array([0.01, 0.03, 0.02, 0.02])
    assert b.n == 4 and b.mean == pytest.approx(0.02) and b.interval is not None
    error = apart.std(ddof=1) / 2
    assert b.interval == pytest.approx((0.02 - T[3] * error, 0.02 + T[3] * error), rel=1e-3)
    # p of t = 4.899 with 3 degrees of freedom, in closed form.
    t = 0.02 / error
    angle = math.atan(t / math.sqrt(3))
    p = 1 - 2 / math.pi * (angle + math.sin(angle) * math.cos(angle))
    assert b.p == pytest.approx(p)
    assert c.n == 3 and c.mean == pytest.approx(-0.01 / 3)
    assert c.p is not None
    # Holm: the smaller p times two, the larger as it is.
    assert b.p_corrected == pytest.approx(2 * p) and c.p_corrected == pytest.approx(c.p)


def test_wilcoxon() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    better: list[float | None] = [0.09, 0.18, 0.27, 0.36, 0.45]
    cells = cells_of(grid({("a", "x"): [*values], ("b", "x"): better}), "test_error")
    (found,) = differences(cells, BASELINE, "wilcoxon")
    assert found.p == pytest.approx(2 / 2**5), "all five signs agree"
    with pytest.raises(InputError, match="did you mean 'wilcoxon'"):
        differences(cells, BASELINE, "wilcoxn")


def test_comparisons_without_a_test() -> None:
    cells = cells_of(
        grid(
            {
                ("a", "x"): [0.1, 0.2, None],
                ("same", "x"): [0.1, 0.2, 0.3],
                ("shifted", "x"): [0.2, 0.3, 0.1],  # by rounding, 0.3 - 0.2 is not 0.2 - 0.1
                ("alone", "x"): [0.3, None, 0.2],
                ("apart", "x"): [None, None, 0.2],
            }
        ),
        "test_error",
    )
    same, shifted, alone, apart = differences(cells, BASELINE)
    assert (same.mean, same.p, same.p_corrected) == (0, 1.0, 1.0)
    assert shifted.mean == pytest.approx(0.1) and shifted.p is None and shifted.p_corrected is None
    assert alone.n == 1 and alone.mean == pytest.approx(0.2)
    assert alone.p is None and alone.interval is None
    assert apart.n == 0 and apart.mean is None


def test_the_baseline() -> None:
    factors = {"init": [{"label": "a"}, {"label": "b"}], "norm": [{"label": "x"}, {"label": "y"}]}
    assert baseline_of({"factors": factors}) == {"init": "a", "norm": "x"}
    named = baseline_of({"factors": factors, "baseline": {"norm": "y"}})
    assert named == {"init": "a", "norm": "y"}
    with pytest.raises(InputError, match="init = a, norm = z"):
        differences(cells_of(grid({("a", "x"): [0.1]}), "test_error"), {"init": "a", "norm": "z"})
