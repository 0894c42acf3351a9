"""Holds a config against the schema and the builders' signatures, before jax is imported.

The lock of ml_collections does not catch everything: a file that starts from an empty ConfigDict,
or a whole section given as JSON, brings unknown keys in silently. So the tree of keys is compared
with a fresh base here, and all problems are reported at once.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from cnn_jax.config.arguments import REGISTRIES, Argument, arguments, builder_field
from cnn_jax.config.keys import SCHEMA, Key, NumberMap
from cnn_jax.config.problems import InputError, hint

SCALARS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


def validate(config: Mapping[str, Any] | ConfigDict) -> FrozenConfigDict:
    """Returns the config frozen, or raises with every problem found.

    Args:
        config: a config tree as a file in `configs/` returns it, overrides applied.

    Raises:
        InputError: keys that are unknown or missing, wrong types, values out of range, arguments
          that the named builder does not have, or keys that contradict each other.
    """
    if not isinstance(config, Mapping | ConfigDict):
        raise InputError(f"the config is a {type(config).__name__}; get_config must return one")
    problems = _key_problems(config)
    if not problems:
        problems = _value_problems(config) + _builder_problems(config)
    if not problems:
        problems = _cross_problems(config)
    if problems:
        raise InputError(problems)
    return FrozenConfigDict(config)


def _key_problems(config: Any) -> list[str]:
    problems = []
    for section in config:
        if section not in SCHEMA:
            problems.append(f"config.{section} is unknown{hint(section, SCHEMA)}")
    for section, keys in SCHEMA.items():
        if section not in config:
            problems.append(f"config.{section} is missing; start from schema.base_config()")
            continue
        given = config[section]
        if not isinstance(given, Mapping | ConfigDict):
            problems.append(f"config.{section} is {given!r}; a section of keys is needed")
            continue
        for name in given:
            if name not in keys:
                problems.append(f"config.{section}.{name} is unknown{hint(name, keys)}")
        if missing := [name for name in keys if name not in given]:
            problems.append(
                f"config.{section} lacks {', '.join(missing)}: a section that is given as a whole "
                "must hold all of its keys"
            )
    return problems


def _value_problems(config: Any) -> list[str]:
    problems = []
    for section, keys in SCHEMA.items():
        for name, key in keys.items():
            path, value = f"config.{section}.{name}", config[section][name]
            if isinstance(key, Key):
                problem = _value_problem(key, value)
                problems += [f"{path} = {value!r}: {problem}"] if problem else []
            elif not isinstance(value, Mapping | ConfigDict):
                problems.append(f"{path} = {value!r}: a dict of arguments is needed")
            elif isinstance(key, NumberMap):
                problems += _map_problems(path, value)
    return problems


def _map_problems(path: str, given: Any) -> list[str]:
    """What is wrong with a map from names to numbers."""
    return [
        f"{path}[{name!r}] = {value!r}: a number of at least 0 is needed"
        for name, value in given.items()
        if not _is_a(value, float) or not math.isfinite(value) or value < 0
    ]


def _value_problem(key: Key, value: Any) -> str:
    """What is wrong with a value, or the empty string."""
    if value is None:
        return "" if key.optional else "a value is needed"
    expected = key.value_type()
    if not _is_a(value, expected):
        return f"{expected.__name__} is needed, this is {type(value).__name__}"
    if key.choices and value not in key.choices:
        return f"not allowed{hint(value, key.choices)}"
    if expected in (int, float):
        if not math.isfinite(value):
            return "a finite number is needed"
        if key.positive and value <= 0:
            return "must be above 0"
        if key.low is not None and value < key.low:
            return f"must be at least {key.low}"
        if key.high is not None and value > key.high:
            return f"must be at most {key.high}"
    return ""


def _is_a(value: Any, expected: type) -> bool:
    if isinstance(value, bool) or expected is bool:
        return isinstance(value, bool) and expected is bool
    return isinstance(value, (int, float) if expected is float else expected)


def _builder_problems(config: Any) -> list[str]:
    problems = []
    for section in REGISTRIES:
        field = builder_field(section)
        name, builders = config[section][field], arguments(section)
        if name not in builders:
            problems.append(
                f"config.{section}.{field} = {name!r} is unknown{hint(str(name), builders)}"
            )
            continue
        given = config[section]["kwargs"]
        if isinstance(given, Mapping | ConfigDict):
            problems += argument_problems(f"config.{section}.kwargs", name, given, builders[name])
    return problems


def argument_problems(
    path: str, builder: str, given: Any, accepted: dict[str, Argument]
) -> list[str]:
    """Returns what is wrong with the arguments of a builder, one sentence each.

    Args:
        path: where they stand.
        builder: its name.
        given: argument name -> value.
        accepted: what the builder takes.
    """
    problems = []
    for name in given:
        if name not in accepted:
            problems.append(f"{path}.{name} is not an argument of {builder}{hint(name, accepted)}")
            continue
        if problem := _argument_problem(accepted[name].annotation, given[name]):
            problems.append(f"{path}.{name} = {given[name]!r}{problem}")
    for name, argument in accepted.items():
        if argument.required and name not in given:
            problems.append(f"{path}.{name} is missing: {builder} needs it")
    return problems


def _argument_problem(annotation: str, value: Any) -> str:
    """What is wrong with an argument, as far as its annotation tells; or the empty string."""
    if annotation in SCALARS and not _is_a(value, SCALARS[annotation]):
        return f": {annotation} is needed"
    if annotation.startswith("Literal["):
        words = ast.literal_eval(annotation.removeprefix("Literal"))
        if value not in words:
            return f" is unknown{hint(str(value), words)}"
    return ""


def _cross_problems(config: Any) -> list[str]:
    problems = []
    data, train, schedule = config["data"], config["train"], config["schedule"]
    if data["validation_folds"] == 1:
        problems.append("config.data.validation_folds = 1 leaves nothing to train on; 0 means none")
    if data["validation_folds"] > 1 and data["validation_fold"] >= data["validation_folds"]:
        problems.append(
            f"config.data.validation_fold = {data['validation_fold']}: folds are numbered from 0, "
            f"and there are {data['validation_folds']}"
        )
    if data["shift_form"] == "whole" and data["shift_pixels"] % 1:
        problems.append(
            f"config.data.shift_pixels = {data['shift_pixels']}: config.data.shift_form = 'whole' "
            "needs a whole number"
        )
    if train["batch_size"] % train["accumulation_steps"]:
        problems.append(
            f"config.train.accumulation_steps = {train['accumulation_steps']} does not divide "
            f"config.train.batch_size = {train['batch_size']}"
        )
    if schedule["warmup_epochs"] > train["epochs"]:
        problems.append(
            f"config.schedule.warmup_epochs = {schedule['warmup_epochs']} is longer than the run: "
            f"config.train.epochs = {train['epochs']}"
        )
    parallel, distributed = config["parallel"], config["distributed"]
    if parallel["mode"] == "pmap" and parallel["shard_parameters"]:
        problems.append("config.parallel.shard_parameters needs config.parallel.mode = 'jit'")
    problems += _process_problems(distributed, train["batch_size"])
    problems += _source_problems(config["init_from"])
    scope, virtual = train["batch_norm_scope"], train["batch_norm_virtual_batch"]
    if scope == "virtual" and train["batch_size"] % virtual:
        problems.append(
            f"config.train.batch_norm_virtual_batch = {virtual} does not divide "
            f"config.train.batch_size = {train['batch_size']}"
        )
    return problems


def _source_problems(init_from: Any) -> list[str]:
    """What is wrong with the section that names the parameters to begin with."""
    given = [name for name in ("workdir", "weights") if init_from[name]]
    if len(given) == 2:
        return ["config.init_from.workdir and config.init_from.weights: give one of them"]
    if init_from["layers"] and not given:
        return [
            "config.init_from.layers needs config.init_from.workdir or config.init_from.weights"
        ]
    return []


def _process_problems(distributed: Any, batch_size: int) -> list[str]:
    """What is wrong with the section that joins several processes."""
    names = ("coordinator", "processes", "process_id")
    unset = [name for name in names if distributed[name] is None]
    if 0 < len(unset) < len(names):
        return [
            f"config.distributed.{unset[0]} is unset: {', '.join(names)} are given together, or "
            "detect finds all of them"
        ]
    if unset:
        return []
    processes, process_id = distributed["processes"], distributed["process_id"]
    problems = []
    if process_id >= processes:
        problems.append(
            f"config.distributed.process_id = {process_id}: processes are numbered from 0, and "
            f"there are {processes}"
        )
    if batch_size % processes:
        problems.append(
            f"config.train.batch_size = {batch_size} does not divide over {processes} processes"
        )
    if ":" not in distributed["coordinator"]:
        problems.append(
            f"config.distributed.coordinator = {distributed['coordinator']!r}: host:port is needed"
        )
    return problems
