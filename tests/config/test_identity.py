from typing import Any

import pytest

from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.schema import MATHS, SCHEMA
from tests import configs


def tree(overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    return to_tree(configs.make(overrides))


def test_run_keys_do_not_change_the_hash_and_maths_keys_do() -> None:
    base = tree()
    for section, keys in SCHEMA.items():
        for name, key in keys.items():
            other = {k: dict(v) for k, v in base.items()}
            other[section][name] = "changed"
            same = config_hash(other) == config_hash(base)
            assert same == (key.kind != MATHS), f"{section}.{name}"


def test_difference_shows_both_values() -> None:
    lines = difference(tree(), tree({"optim.learning_rate": 0.5, "model.kwargs.width": 0.5}))
    assert lines == [
        "model.kwargs.width: 0.34 in the run directory, 0.5 now",
        "optim.learning_rate: 0.02 in the run directory, 0.5 now",
    ]
    assert not difference(tree(), tree({"log.every_steps": 7}))


@pytest.mark.parametrize(("schedule", "allowed"), [("constant", True), ("cosine", False)])
def test_epochs_may_grow_where_the_schedule_allows(schedule: str, allowed: bool) -> None:
    short, long = (
        tree({"schedule.name": schedule, "schedule.kwargs": {}, "train.epochs": e})
        for e in (3.0, 6.0)
    )
    assert (not difference(short, long)) == allowed
    assert difference(long, short)
