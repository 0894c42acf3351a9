"""Holds a config against the schema and the builders' signatures, before jax is imported.

The lock of ml_collections does not catch everything: a file that starts from an empty ConfigDict,
or a whole section given as JSON, brings unknown keys in silently. So the tree of keys is compared
with a fresh base here, and all problems are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from cnn_jax.config.addresses import not_on_disk
from cnn_jax.config.arguments import REGISTRIES, Argument, arguments, builder_field
from cnn_jax.config.keys import SCHEMA, Config
from cnn_jax.config.problems import InputError, hint, nearest, shown
from cnn_jax.config.unknown_keys import as_in, example_of, unknown_argument, unknown_key


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
            problems.append(unknown_key(str(section)))
    for section, keys in SCHEMA.items():
        if section not in config:
            problems.append(f"config.{section} is missing; start from schema.base_config()")
            continue
        given = config[section]
        if not isinstance(given, Mapping | ConfigDict):
            problems.append(
                f"config.{section} = {shown(given)}: a section of keys is needed, as "
                + ", ".join(f"config.{section}.{name}" for name in keys)
            )
            continue
        for name in given:
            if name not in keys:
                problems.append(unknown_key(f"{section}.{name}"))
        if missing := [name for name in keys if name not in given]:
            problems.append(
                f"config.{section} lacks {', '.join(missing)}: a section that is given as a whole "
                "must hold all of its keys"
            )
    return problems


def _value_problems(config: Config) -> list[str]:
    problems = []
    for section, keys in SCHEMA.items():
        for name, key in keys.items():
            path, value = f"{section}.{name}", config[section][name]
            if problem := key.values.problem(value):
                near = nearest(value, key.values.words or ())
                problems.append(f"config.{path} = {shown(value)}{problem}{as_in(path, near)}")
            if problem := not_on_disk(f"config.{path}", value):
                problems.append(problem)
    return problems


def _builder_problems(config: Config) -> list[str]:
    problems = []
    for section in REGISTRIES:
        field = builder_field(section)
        name, builders = config[section][field], arguments(section)
        if not isinstance(name, str):
            continue  # `_value_problems` tells
        if name not in builders:
            near = as_in(f"{section}.{field}", nearest(name, builders))
            problems.append(
                f"config.{section}.{field} = {shown(name)} is unknown{hint(name, builders)}{near}"
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
    for name, value in given.items():
        if name not in accepted:
            problems.append(unknown_argument(path, name, builder, accepted))
            continue
        argument = accepted[name]
        if problem := argument.values.problem(value):
            near = nearest(value, argument.values.words or ()) or example_of(argument)
            mended = path.startswith("config.")
            end = as_in(f"{path.removeprefix('config.')}.{name}", near) if mended else ""
            problems.append(f"{path}.{name} = {shown(value)}{problem}{end}")
    for name, argument in accepted.items():
        if argument.required and name not in given:
            problems.append(f"{path}.{name} is missing: {builder} needs it")
    return problems


def _cross_problems(config: Config) -> list[str]:
    problems = []
    data, train, schedule = config["data"], config["train"], config["schedule"]
    if data["holds"] is not None and data["source"] not in ("folder", "store"):
        problems.append(
            f"config.data.holds = {data['holds']!r} is for the sources folder and store; "
            f"{data['source']} says itself what it holds{as_in('data.source', 'folder')}"
        )
    if data["validation_folds"] == 1:
        problems.append(
            "config.data.validation_folds = 1 leaves nothing to train on; 0 means none"
            + as_in("data.validation_folds", 0)
        )
    if data["validation_folds"] > 1 and data["validation_fold"] >= data["validation_folds"]:
        problems.append(
            f"config.data.validation_fold = {data['validation_fold']}: folds are numbered from 0, "
            f"and there are {data['validation_folds']}{as_in('data.validation_fold', 0)}"
        )
    if data["shift_form"] == "whole" and data["shift_pixels"] % 1:
        problems.append(
            f"config.data.shift_pixels = {data['shift_pixels']}: config.data.shift_form = 'whole' "
            f"needs a whole number{as_in('data.shift_pixels', float(round(data['shift_pixels'])))}"
        )
    if train["batch_size"] % train["accumulation_steps"]:
        problems.append(
            f"config.train.accumulation_steps = {train['accumulation_steps']} does not divide "
            f"config.train.batch_size = {train['batch_size']}"
            + as_in(
                "train.accumulation_steps",
                math.gcd(train["accumulation_steps"], train["batch_size"]),
            )
        )
    if schedule["warmup_epochs"] > train["epochs"]:
        problems.append(
            f"config.schedule.warmup_epochs = {schedule['warmup_epochs']} is longer than the run: "
            f"config.train.epochs = {train['epochs']}"
            + as_in("schedule.warmup_epochs", train["epochs"] / 10)
        )
    problems += _schedule_problems(schedule, train["epochs"])
    optim = config["optim"]
    if optim["name"] == "adamw" and optim["weight_decay_form"] == "l2_per_batch":
        problems.append(
            "config.optim.weight_decay_form = 'l2_per_batch': the weight decay of "
            "config.optim.name = 'adamw' is decoupled by definition"
            + as_in("optim.weight_decay_form", "decoupled")
        )
    if optim["name"] == "diagonal_levenberg_marquardt":
        batches, every = (_argument("optim", optim, name) for name in ("batches", "every"))
        if batches < 1 or 0 != every < batches:
            problems.append(
                f"config.optim.kwargs.every = {every}: a measurement of {batches} batches begins "
                "before the last one has ended" + as_in("optim.kwargs.every", max(batches, 1))
            )
    parallel, distributed = config["parallel"], config["distributed"]
    if parallel["mode"] == "pmap" and parallel["shard_parameters"]:
        problems.append(
            "config.parallel.shard_parameters needs config.parallel.mode = 'jit'"
            + as_in("parallel.mode", "jit")
        )
    problems += _process_problems(distributed, train["batch_size"])
    problems += _source_problems(config["init_from"])
    scope, virtual = train["batch_norm_scope"], train["batch_norm_virtual_batch"]
    if scope == "virtual" and train["batch_size"] % virtual:
        problems.append(
            f"config.train.batch_norm_virtual_batch = {virtual} does not divide "
            f"config.train.batch_size = {train['batch_size']}"
            + as_in("train.batch_norm_virtual_batch", math.gcd(virtual, train["batch_size"]))
        )
    return problems


def _source_problems(init_from: Any) -> list[str]:
    """What is wrong with the section that names the parameters to begin with."""
    given = [name for name in ("workdir", "weights") if init_from[name]]
    if len(given) == 2:
        return [
            "config.init_from.workdir and config.init_from.weights: give one of them"
            + as_in("init_from.weights")
        ]
    if init_from["layers"] and not given:
        return [
            "config.init_from.layers needs config.init_from.workdir or config.init_from.weights"
            + as_in("init_from.layers")
        ]
    return []


def _argument(section: str, given: Any, name: str) -> Any:
    """What a section gives for an argument of its builder, or else its default."""
    kwargs = given["kwargs"]
    return kwargs[name] if name in kwargs else arguments(section)[given["name"]][name].default


def _schedule_problems(schedule: Any, epochs: float) -> list[str]:
    """What is wrong with the boundaries of a schedule that has any."""
    name, key = schedule["name"], "schedule.kwargs.boundaries_epochs"
    if name not in ("step", "piecewise"):
        return []
    boundaries = tuple(_argument("schedule", schedule, "boundaries_epochs"))
    if not boundaries:
        return [
            f"config.schedule.name = {name!r} without config.{key} never "
            + ("lowers" if name == "step" else "changes")
            + f" the rate{as_in(key, (epochs / 2,))}"
        ]
    if list(boundaries) != sorted(set(boundaries)):
        return [
            f"config.{key} = {boundaries}: each is later than the one before"
            + as_in(key, tuple(sorted(set(boundaries))))
        ]
    if name == "step":
        return []
    multipliers = _argument("schedule", schedule, "multipliers")
    if len(multipliers) != len(boundaries):
        return [
            f"config.schedule.kwargs.multipliers has {len(multipliers)} numbers for "
            f"{len(boundaries)} boundaries: one for each"
            + as_in("schedule.kwargs.multipliers", (0.1,) * len(boundaries))
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
            f"there are {processes}{as_in('distributed.process_id', processes - 1)}"
        )
    if batch_size % processes:
        problems.append(
            f"config.train.batch_size = {batch_size} does not divide over {processes} processes"
            + as_in("train.batch_size", -(-batch_size // processes) * processes)
        )
    if ":" not in distributed["coordinator"]:
        problems.append(
            f"config.distributed.coordinator = {distributed['coordinator']!r}: host:port is needed"
            + as_in("distributed.coordinator", "localhost:8476")
        )
    return problems
