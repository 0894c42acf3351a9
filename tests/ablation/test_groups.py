"""Members share a program exactly where their steps are the same."""

import functools
from typing import Any

import jax
import pytest

from cnn_jax.ablation.groups import _drawn_state, describe, groups_of
from cnn_jax.config.keys import SCHEMA, OpenDict
from cnn_jax.config.problems import InputError
from cnn_jax.step.steps import make_train_step
from tests.ablation.populations import RATES, members

# For every traced key a value that differs from that of the small config, and is used as it is.
OTHER = {
    "seed.init": 5,
    "seed.data": 5,
    "seed.dropout": 5,
    "optim.learning_rate": 0.7,
    "optim.momentum": 0.5,
    "optim.weight_decay": 0.1,
    "optim.clip_norm": 3.0,
    "optim.filter_rms_limit": 3.0,
    "optim.max_norm": 3.0,
    "optim.averaging_decay": 0.5,
    "optim.averaging_start_epochs": 2.0,
    "schedule.warmup_epochs": 2.0,
    "train.label_smoothing": 0.3,
    "train.auxiliary_weight": 0.5,
    "train.auxiliary_weights": {"aux": 0.5},
    "data_dependent_init.name": "lsuv",
    "data_dependent_init.examples": 40,
    "model.kwargs.kernel_init": "glorot_normal",
    "model.kwargs.bias_init": "constant(value=0.1)",
    "model.kwargs.dropout_rate": 0.6,
}
USED = {
    "optim__clip_norm": 2.0,
    "optim__filter_rms_limit": 2.0,
    "optim__max_norm": 2.0,
    "optim__averaging": "ema",
    "train__auxiliary_weight": 0.2,
    "train__auxiliary_weights": {"aux": 0.1},
    "data_dependent_init__examples": 30,
}


def traced_keys() -> set[str]:
    found = set()
    for section, keys in SCHEMA.items():
        for name, key in keys.items():
            if isinstance(key, OpenDict):
                found |= {f"{section}.{name}.{argument}" for argument in key.traced}
            elif key.traced:
                found.add(f"{section}.{name}")
    return found


def step_of(group: Any) -> str:
    """The traced program of a group's first member, as text."""
    state = jax.eval_shape(functools.partial(_drawn_state, group.members[0], group.run))
    split, batch = group.run.dataset.train, group.run.plan.batch_size
    like = {
        "image": jax.ShapeDtypeStruct((batch, *split.images.shape[1:]), split.images.dtype),
        "label": jax.ShapeDtypeStruct((batch,), split.labels.dtype),
    }
    return str(jax.make_jaxpr(make_train_step(group.run.recipe))(state, like))


def test_every_traced_key_is_tried() -> None:
    """But for the arguments of data-dependent initialisations: each has its own."""
    traced = {key for key in traced_keys() if not key.startswith("data_dependent_init.kwargs")}
    assert set(OTHER) == traced


def test_members_that_differ_in_traced_keys_are_one_group() -> None:
    one_by_one = {key: {key: value} for key, value in OTHER.items()}
    found = members({"key": {"none": {}, "all": OTHER} | one_by_one}, seeds=1, **USED)
    (group,) = groups_of(found)
    assert len(group.members) == len(OTHER) + 2


def test_members_of_one_group_have_the_same_traced_step() -> None:
    """Auxiliary heads aside: the small network has none."""
    used = {key: value for key, value in USED.items() if "auxiliary" not in key}
    other = {key: value for key, value in OTHER.items() if "auxiliary" not in key}
    steps = [step_of(groups_of(members({"all": {"x": c}}, 1, **used))[0]) for c in ({}, other)]
    assert steps[0] == steps[1]
    changed = step_of(groups_of(members({"all": {"x": {"optim.name": "nesterov"}}}, 1, **used))[0])
    assert changed != steps[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"model.kwargs.norm": "none"},
        {"model.kwargs.layers": (13,)},
        {"model.kwargs.dropout_rate": 0.0},
        {"optim.name": "adam"},
        {"optim.clip_norm": 1.0},
        {"optim.averaging": "ema"},
        {"train.batch_size": 4},
        {"train.epochs": 4.0},
        {"train.accumulation_steps": 2},
        {"schedule.name": "constant"},
        {"data.flip": False},
        {"data.train_examples": 40},
        {"guard.explosion_factor": 0.0},
    ],
    ids=str,
)
def test_what_changes_the_program_makes_a_group(changes: dict[str, Any]) -> None:
    found = groups_of(members({"what": {"as is": {}, "other": changes}}))
    assert [[m.cell["what"] for m in group.members] for group in found] == [
        ["as is"] * 2,
        ["other"] * 2,
    ]


def test_the_list_of_programs() -> None:
    dropout = {"no": {"model.kwargs.dropout_rate": 0.0}, "yes": {}}
    text = describe(groups_of(members({"rate": RATES, "dropout": dropout}, seeds=3)))
    assert text.count("program") == 2 and "slow x no, seeds 0 to 2" in text
    assert text.endswith("12 members")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.kwargs.kernel_init": "hee_normal"}, "'hee_normal' is unknown; did you mean"),
        ({"model.kwargs.kernel_init": {"fc9": "zeros"}}, "kernel_init names 'fc9'"),
        ({"model.kwargs.activation": "rely"}, "activation 'rely' is unknown; did you mean 'relu'"),
        ({"optim.frozen": "fc9"}, "config.optim.frozen names 'fc9'"),
        ({"data.train_examples": 1000}, "data.train_examples = 1000"),
        ({"distributed.detect": True}, "config.distributed must be the same for all members"),
        ({"precision.compute": "bfloat16"}, "precision must be the same"),
    ],
    ids=str,
)
def test_what_needs_jax_to_be_found_is_named_too(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"factor 'what', level 'broken': .*{message}"):
        groups_of(members({"what": {"sound": {}, "broken": changes}}))
