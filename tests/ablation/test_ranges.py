"""Ranges of a search: what is drawn from them, and what the next ones are."""

from typing import Any

import pytest

from cnn_jax.ablation.ranges import draw_trials, narrowed, place
from cnn_jax.config import schema

RATE, ACTIVATION = "optim.learning_rate", "model.kwargs.activation"


def test_draws_are_seeded_and_log_uniform() -> None:
    ranges = {RATE: schema.LogUniform(1e-4, 1.0), "x": schema.Uniform(-1.0, 3.0)}
    trials = draw_trials(0, 1, ranges, 400)
    assert trials == draw_trials(0, 1, ranges, 400) and trials[:7] == draw_trials(0, 1, ranges, 7)
    assert trials != draw_trials(1, 1, ranges, 400) and trials != draw_trials(0, 2, ranges, 400)
    for key, drawn in ranges.items():
        places = [place(drawn, trial[key]) for trial in trials]
        assert min(places) >= 0 and max(places) <= 1
        quarters = [sum(i / 4 <= where < (i + 1) / 4 for where in places) for i in range(4)]
        assert all(70 <= quarter <= 130 for quarter in quarters), (key, quarters)
    assert all(float(f"{trial[RATE]:.4g}") == trial[RATE] for trial in trials)


def test_the_next_range_is_what_the_best_span() -> None:
    first: dict[str, Any] = {
        RATE: schema.LogUniform(1e-4, 1.0),
        "x": schema.Uniform(0.0, 1.0),
        ACTIVATION: schema.Choice(("relu", "tanh", "maxout")),
    }
    best = [
        {RATE: 1e-3, "x": 0.9, ACTIVATION: "tanh"},
        {RATE: 1e-2, "x": 0.99, ACTIVATION: "relu"},
    ]
    found = narrowed(first, best, trials=7, first=first)
    # An eighth of the range on either side, on its scale: half a decade of four.
    assert found[RATE] == schema.LogUniform(10**-3.5, 10**-1.5) or (
        found[RATE].low == pytest.approx(10**-3.5, rel=1e-3)
        and found[RATE].high == pytest.approx(10**-1.5, rel=1e-3)
    )
    assert found["x"] == schema.Uniform(0.775, 1.0), "not beyond the first range"
    assert found[ACTIVATION] == schema.Choice(("relu", "tanh"))
    alone = narrowed(first, best[:1], trials=7, first=first)
    assert alone[RATE].low < 1e-3 < alone[RATE].high and alone["x"] == schema.Uniform(0.775, 1.0)
