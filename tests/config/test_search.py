"""A search that cannot be used says what is wrong, before anything is trained."""

from typing import Any

import pytest

from cnn_jax.config import schema
from cnn_jax.config.problems import InputError


def search(**changes: Any) -> schema.Search:
    made = schema.base_search()
    made.base = schema.base_config()
    made.ranges = {"optim.learning_rate": schema.LogUniform(1e-4, 1.0)}
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_search_as_it_should_be() -> None:
    assert search().problems() == []
    ranges = {"a": schema.Uniform(0, 1), "b": schema.Choice((1, 2)), "c": schema.LogUniform(1, 2)}
    assert search(ranges=ranges, stages=(schema.Stage(8, 1.0, 8),)).problems() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"base": ""}, "search.base = ''"),
        ({"seed": -1}, "search.seed = -1"),
        ({"ranges": {}}, "search.ranges"),
        ({"trial_changes": 3}, "search.trial_changes = 3"),
        ({"ranges": {"optim.momentum": (0, 1)}}, "range of optim.momentum: (0, 1): Uniform"),
        ({"ranges": {"a.b": schema.Uniform(1.0, 1.0)}}, "range of a.b: Uniform(low=1.0, high=1.0)"),
        ({"ranges": {"a.b": schema.LogUniform(0.0, 1.0)}}, "a logarithm needs numbers above 0"),
        ({"ranges": {"a.b": schema.Uniform(0.0, float("inf"))}}, "two finite numbers"),
        ({"ranges": {"a.b": schema.Choice(())}}, "range of a.b: Choice(options=())"),
        (
            {"trial_changes": {"optim.learning_rate": 1.0}},
            "search.trial_changes sets the same key",
        ),
        ({"stages": ()}, "search.stages"),
        ({"stages": (5,)}, "stage 1 = 5"),
        ({"stages": (schema.Stage(0, 1.0, 1),)}, "stage 1.trials = 0"),
        ({"stages": (schema.Stage(9, 1.0), schema.Stage(9, 0.0))}, "stage 2.epochs = 0.0"),
        ({"stages": (schema.Stage(3, 1.0, 4),)}, "stage 1.kept = 4: there are 3 trials"),
        ({"stages": (schema.Stage(3, float("nan"), 1),)}, "stage 1.epochs = nan: a finite number"),
        (
            {"stages": (schema.Stage(10**20, 1.0),)},
            "at most 10000, for every one is a run",
        ),
        ({"trial_changes": {"train.epochs": 3.0}}, "search.trial_changes: train.epochs: every"),
        ({"ranges": {"train.epochs": schema.Uniform(1.0, 2.0)}}, "search.ranges: train.epochs"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], problem: str) -> None:
    found = search(**changes).problems()
    assert len(found) == 1 and problem in found[0]


def test_a_misspelt_name() -> None:
    with pytest.raises(InputError, match="did you mean 'stages'"):
        search(stage=())
