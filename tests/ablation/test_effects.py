"""Analysis of variance of the cells, beside sums of squares computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cnn_jax.ablation.effects import LEAST_FREEDOM, analyse, marginal
from cnn_jax.ablation.statistics import cells_of
from tests.ablation.members import grid, member

ERRORS: dict[tuple[str, str], list[float | None]] = {
    ("a", "x"): [0.10, 0.13, 0.11],
    ("a", "y"): [0.20, 0.22, 0.24],
    ("b", "x"): [0.30, 0.31, 0.35],
    ("b", "y"): [0.31, 0.30, 0.36],
}


def test_a_balanced_table_by_hand() -> None:
    y = np.array(list(ERRORS.values()), dtype=float).reshape(2, 2, 3)  # init, norm, seed
    grand = y.mean()
    by_hand = {
        ("init",): 6 * ((y.mean((1, 2)) - grand) ** 2).sum(),
        ("norm",): 6 * ((y.mean((0, 2)) - grand) ** 2).sum(),
        ("init", "norm"): 3
        * ((y.mean(2) - y.mean((1, 2))[:, None] - y.mean((0, 2))[None, :] + grand) ** 2).sum(),
    }
    seeds = 4 * ((y.mean((0, 1)) - grand) ** 2).sum()
    residual = ((y - grand) ** 2).sum() - sum(by_hand.values()) - seeds
    found = analyse(cells_of(grid(ERRORS), "test_error"))
    assert found.residual_freedom == 6 and found.notes == []
    assert [effect.factors for effect in found.effects] == list(by_hand)
    for effect in found.effects:
        squares = by_hand[effect.factors]
        assert effect.freedom == 1 and effect.sum_of_squares == pytest.approx(squares)
        assert effect.f == pytest.approx(squares / (residual / 6))
        assert effect.p == pytest.approx(float(stats.f.sf(effect.f, 1, 6)))
        assert effect.share == pytest.approx(squares / (squares + residual))


def test_an_additive_grid_has_no_interaction() -> None:
    rng = np.random.default_rng(0)
    errors: dict[tuple[str, str], list[float | None]] = {
        (a, b): (0.3 + 0.1 * i + 0.05 * j + rng.normal(0, 0.01, 10)).tolist()
        for i, a in enumerate("abc")
        for j, b in enumerate("xy")
    }
    init, norm, both = analyse(cells_of(grid(errors), "test_error")).effects
    assert init.p < 1e-9 and norm.p < 1e-9 and both.p > 0.05
    assert (init.freedom, norm.freedom, both.freedom) == (2, 1, 2)


def test_an_unbalanced_table_is_that_of_the_smaller_models() -> None:
    errors = ERRORS | {("a", "x"): [0.10, None, 0.11]}
    found = analyse(cells_of(grid(errors), "test_error"))
    assert found.residual_freedom == 5
    rows = [
        (value, init == "b", norm == "y", seed)
        for (init, norm), values in errors.items()
        for seed, value in enumerate(values)
        if value is not None
    ]
    y = np.array([row[0] for row in rows], dtype=float)
    columns = {
        name: np.array([row[i] for row in rows], dtype=float)
        for i, name in ((1, "init"), (2, "norm"))
    }
    blocks = [np.array([row[3] == seed for row in rows], dtype=float) for seed in range(3)]

    def left(*names: str) -> float:
        matrix = np.stack([*blocks, *(columns[name] for name in names)], axis=1)
        return float(((y - matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0]) ** 2).sum())

    init, norm, _ = found.effects
    assert init.sum_of_squares == pytest.approx(left("norm") - left("norm", "init"))
    assert norm.sum_of_squares == pytest.approx(left("init") - left("norm", "init"))


def test_a_cell_without_members_takes_its_interaction_along() -> None:
    found = analyse(cells_of(grid(ERRORS | {("a", "x"): [None] * 3}), "test_error"))
    assert [effect.factors for effect in found.effects] == [("init",), ("norm",)]
    assert found.notes[0] == (
        "Not estimated, since the finished members do not determine them: init x norm "
        "(no finished member: init = a, norm = x)."
    )


def test_factors_that_change_together_are_not_told_apart() -> None:
    members = [
        member({"init": level, "norm": level}, seed, 0.1 * (level == "b") + 0.01 * seed**2)
        for level in "ab"
        for seed in range(4)
    ]
    members[0]["final"]["test_error"] = 0.02
    found = analyse(cells_of(members, "test_error"))
    assert [effect.factors for effect in found.effects] == [("init",)]
    assert "norm, init x norm." in found.notes[0]


def test_one_seed_all_diverged_and_no_spread() -> None:
    one = {cell: values[:1] for cell, values in ERRORS.items()}
    (note,) = analyse(cells_of(grid(one), "test_error")).notes
    assert "needs several seeds" in note
    none = {cell: [None, None] for cell in ERRORS}
    assert analyse(cells_of(grid(none), "test_error")).effects == []
    flat = {cell: [0.1, 0.1] for cell in ERRORS}
    found = analyse(cells_of(grid(flat), "test_error"))
    assert found.effects == [] and "do not differ" in found.notes[-1]


@given(st.integers(2, 5), st.integers(2, 4))
@settings(deadline=None, max_examples=10)
def test_too_few_degrees_of_freedom_make_no_table(levels: int, seeds: int) -> None:
    rng = np.random.default_rng(0)
    errors: dict[tuple[str, str], list[float | None]] = {
        (str(level), "x"): rng.uniform(0, 1, seeds).tolist() for level in range(levels)
    }
    found = analyse(cells_of(grid(errors), "test_error"))
    freedom = (levels - 1) * (seeds - 1)
    assert bool(found.effects) == (freedom >= LEAST_FREEDOM)
    assert found.effects or "No analysis of variance" in found.notes[-1]


def test_unequal_spread_is_said() -> None:
    rng = np.random.default_rng(0)
    errors: dict[tuple[str, str], list[float | None]] = {
        ("a", "x"): rng.normal(0.5, 0.1, 20).tolist(),
        ("b", "x"): rng.normal(0.1, 0.001, 20).tolist(),
    }
    (note,) = [n for n in analyse(cells_of(grid(errors), "test_error")).notes if "Levene" in n]
    assert note.startswith("The spread within cells is not equal")


def test_levels_average_over_the_other_factors_seed_by_seed() -> None:
    cells = cells_of(grid(ERRORS), "test_error")
    found = marginal(cells, ["init"])
    assert list(found) == [("a",), ("b",)] and list(marginal(cells, ["norm"])) == [("x",), ("y",)]
    a = found["a",]
    assert a is not None and a.n == 3 and a.mean == pytest.approx(1.0 / 6)
    assert a.deviation == pytest.approx(np.std([0.15, 0.175, 0.175], ddof=1))
    pairs = marginal(cells, ["norm", "init"])
    assert list(pairs) == [("x", "a"), ("y", "a"), ("x", "b"), ("y", "b")]
    assert pairs["y", "a"] == cells[1].summary()


def test_a_missing_member_does_not_shift_its_level() -> None:
    # Cells far apart: without a stand-in, seed 1 would have the mean of the other cell alone.
    errors: dict[tuple[str, str], list[float | None]] = {
        ("a", "x"): [0.90, None, 0.92],
        ("a", "y"): [0.10, 0.11, 0.12],
    }
    cells = cells_of(grid(errors), "test_error")
    found = marginal(cells, ["init"])["a",]
    assert found is not None and found.mean == pytest.approx((0.91 + 0.11) / 2)
    assert found.deviation == pytest.approx(0.01)
    gone = cells_of(grid(errors | {("a", "x"): [None] * 3}), "test_error")
    assert marginal(gone, ["init"])["a",] == gone[1].summary()
    none = cells_of(grid({("a", "x"): [None], ("b", "x"): [0.1]}), "test_error")
    assert marginal(none, ["init"])["a",] is None
