"""What two runs share: the numbers (`maths` keys, hash, difference) and the compiled program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cnn_jax.config.keys import MATHS, SCHEMA, Config, Key, OpenDict

# The `maths` keys of the first day are always part of the hash. One that came later is, where it
# is not at its default, which means "as before": so the hash of a run outlives new keys.
FIRST_KEYS = {
    "seed": "init data dropout",
    "data": "source kwargs validation_folds validation_fold validation_rule train_examples "
    "normalisation shift_pixels scale rotation_degrees border flip",
    "model": "name kwargs",
    "optim": "name learning_rate momentum weight_decay weight_decay_form kwargs",
    "schedule": "name warmup_epochs kwargs",
    "train": "epochs batch_size loss label_smoothing dispatch batch_norm_scope "
    "batch_norm_virtual_batch",
    "precision": "compute matmul",
}


def to_tree(config: Config) -> dict[str, Any]:
    """Returns a config as plain dicts, lists and scalars, as JSON would hold it."""
    return json.loads(json.dumps(config.to_dict()))


def maths_keys(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys that change the numbers, flat: `optim.learning_rate` -> value."""
    return {
        f"{section}.{name}": tree[section][name]
        for section, keys in SCHEMA.items()
        for name, key in keys.items()
        if key.kind == MATHS and section in tree and name in tree[section]
    }


def config_hash(tree: Mapping[str, Any]) -> str:
    """Returns twelve hex digits over the `maths` keys: equal hashes, the same numbers."""
    hashed = {key: value for key, value in maths_keys(tree).items() if not _as_before(key, value)}
    text = json.dumps(hashed, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_before(name: str, value: Any) -> bool:
    section, _, key = name.partition(".")
    if key in FIRST_KEYS.get(section, "").split():
        return False
    declared = SCHEMA[section][key]
    return value == (declared.default if isinstance(declared, Key) else {})


def difference(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Returns one line for each `maths` key that differs between two config trees.

    `train.epochs` may differ where the schedule's shape does not depend on the length of the run:
    the longer run then begins with exactly the shorter one.
    """
    before, after = maths_keys(saved), maths_keys(asked)
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if key not in before or key not in after:
            side = "before" if key in before else "now"
            lines.append(f"{key}: only in the config of {side}")
        elif before[key] != after[key] and not (key == "train.epochs" and _may_grow(before, after)):
            lines += _changes(key, before[key], after[key])
    return lines


def _changes(key: str, before: Any, after: Any) -> list[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{key}: {before!r} in the run directory, {after!r} now"]
    return [
        line
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
        for line in _changes(f"{key}.{name}", before.get(name), after.get(name))
    ]


def _may_grow(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return (
        after["train.epochs"] >= before["train.epochs"]
        and after["schedule.name"] in LENGTH_FREE_SCHEDULES
    )


LENGTH_FREE_SCHEDULES = frozenset({"constant", "step", "exponential", "inverse", "plateau"})


def program_tree(tree: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns a config tree without the keys and arguments that are traced.

    Two runs share a program if this is equal, and if they use the same traced keys: a clipping norm
    or a dropout rate of 0 is left out of the program.

    Args:
        tree: a config as JSON would hold it.
    """
    kept: dict[str, dict[str, Any]] = {}
    for section, keys in SCHEMA.items():
        kept[section] = {}
        for name, key in keys.items():
            value = tree[section][name]
            if isinstance(key, OpenDict):
                kept[section][name] = {k: v for k, v in value.items() if k not in key.traced}
            elif not key.traced:
                kept[section][name] = value
    return kept
