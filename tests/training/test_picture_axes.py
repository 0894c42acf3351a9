"""The rules of the axes: nothing is outside, a linear scale where a logarithm says nothing."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cnn_jax.training.picture_axes import Axis, error_axis, log_ticks, loss_axis

# The least error but none is one of 2^31 - 1 examples, as many as are counted.
PERCENTS = st.lists(st.just(0.0) | st.floats(100 / 2**31, 100), min_size=1, max_size=30)
LOSSES = st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=30)


def labels(axis: Axis) -> list[float]:
    """The ticks that a reader sees inside the axes."""
    axes = Figure().subplots()
    axis.put_on(axes)
    return [tick for tick in axes.get_yticks() if axis.low <= tick <= axis.high]


@settings(deadline=None, max_examples=30)  # panels are slow to make
@given(PERCENTS)
def test_every_error_is_inside_and_has_labels_beside_it(percents: list[float]) -> None:
    axis = error_axis(percents)
    assert axis.low < min(percents) and max(percents) < axis.high
    assert axis.scale != "log" or axis.low > 0
    assert len(labels(axis)) >= 2


@given(st.lists(st.floats(20, 100, exclude_min=True), min_size=1))
def test_errors_above_20_percent_have_a_linear_axis(percents: list[float]) -> None:
    assert error_axis(percents).scale == "linear"


@given(st.floats(0, 15), st.floats(80, 100))
def test_errors_far_apart_do_not(low: float, high: float) -> None:
    assert error_axis([low, high]).scale == ("log" if low >= 1 else "symlog")


@given(LOSSES)
def test_every_loss_is_inside(losses: list[float]) -> None:
    axis = loss_axis(losses)
    assert axis.low < min(losses) and max(losses) < axis.high
    assert axis.scale == ("log" if max(losses) >= 10 * min(losses) else "linear")


@given(st.floats(1e-40, 1e40), st.floats(1.01, 1e60))
def test_ticks_are_few_and_inside(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert len(ticks) <= 9 and all(low <= tick <= low * ratio for tick in ticks)
    assert list(ticks) == sorted(ticks) and (ratio < 10 or ticks)


@pytest.mark.parametrize("rule", [error_axis, loss_axis])
def test_what_is_not_finite_is_passed_over(rule: Callable[[list[float]], Axis]) -> None:
    assert rule([math.nan, 1.0, math.inf, 30.0]) == rule([1.0, 30.0])
    nothing = rule([math.nan])
    assert nothing.scale == "linear" and nothing.low < nothing.high
