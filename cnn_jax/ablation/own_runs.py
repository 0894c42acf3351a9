"""Members that are runs of their own, one after another: any config that `experiments.train` takes.

Streamed data and random crops, pmap, several devices or a host loop to a member, parameters to
begin with: none of them fits into the programs that members of a population share. Such a member is
trained by the engine of `experiments.train`, to the same numbers, into a run directory with
checkpoints, and an interrupted call goes on in the middle of a member.

Several processes walk the same list. Process 0 alone reads what is finished and writes what became
of a member, and tells the others.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.groups import Group
from cnn_jax.ablation.shares import Share
from cnn_jax.ablation.states import DIVERGED, DONE, PAUSED
from cnn_jax.ablation.wave import CURVE, TRAIN_CURVE
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.config.changes import changed
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from cnn_jax.devices.distributed import alone, gather_texts, lead, text_from_lead
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.warm_start import warm_start
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.pause import PausedError
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.session import train

Record = dict[str, Any]


def train_runs(
    groups: Sequence[Group],
    members: Sequence[Member],
    directory: Path,
    preemption: Preemption,
    say: Callable[[str], None],
    share: Share,
    until: Mapping[int, int],
) -> list[Record | None]:
    """Trains members one after another, those that are finished aside.

    Args:
        groups: of the members, checked.
        members: in the order in which they train.
        directory: of the population; each member has a run directory below it.
        preemption: the signals, already listened to.
        say: prints a line.
        share: of the members, that this call trains.
        until: index of a member -> steps after which it pauses.

    Returns:
        Of each member `state`, `stopped_step`, `curve` and `final`, as a wave has them; `final`
        without errors on all of train, which a run does not measure. Process 0 alone has the
        `curve` of train. None for a member of another share that is not finished.

    Raises:
        InputError: a member cannot be trained; it is named.
        PreemptionRequested: a signal came; a checkpoint is saved.
    """
    _check_sources(groups, directory)
    own = [member for member in members if share.has(member.index)]
    trained: dict[int, Record | None] = {}
    for place, member in enumerate(own, start=1):
        where, files = directory / f"member-{member.index}", _files(member, directory)
        pause = until.get(member.index)
        if (record := _from_lead(_so_far(files, where, pause) if lead() else None)) is None:
            say(f"\nmember {place} of {len(own)}: {member.title}, in {where}")
            record = _trained(member, where, preemption, pause)
            if lead() and record["state"] != PAUSED:
                files.finish([record])
            _poll(preemption)
        trained[member.index] = record
    for member in members:  # only now: the other shares were training meanwhile
        if member.index not in trained:
            there = _finished(_files(member, directory)) if lead() else None
            trained[member.index] = _from_lead(there)
    return [trained[member.index] for member in members]


def _files(member: Member, directory: Path) -> WaveFiles:
    return WaveFiles(directory, f"member-{member.index}", [config_hash(to_tree(member.config))])


def _so_far(files: WaveFiles, workdir: Path, until: int | None) -> Record | None:
    """Returns the record of a member that has come to its end or to its pause, before."""
    if (finished := _finished(files)) is not None or until is None:
        return finished
    record: Record = {"state": PAUSED, "stopped_step": None, "final": {}}
    record = _with_curve(record, workdir)
    return record if until in record["curve"]["validation_step"] else None


def _trained(member: Member, workdir: Path, preemption: Preemption, until: int | None) -> Record:
    preemption.saved_step = preemption.saved_step or 0
    record: Record = {"state": DONE, "stopped_step": None, "final": {}}
    try:
        config = _on_its_devices(member.config)
        result = train(config, workdir, preemption, time.time(), until).result
    except PausedError as paused:
        print(f"{paused}, to be judged", flush=True)
        record["state"] = PAUSED
    except DivergedError as error:
        print(f"{error}; the other members go on", flush=True)
        record |= {"state": DIVERGED, "stopped_step": error.step}
    except InputError as error:
        raise InputError([f"{member.title}: {text}" for text in error.problems]) from error
    else:
        if result.get("plateau_end"):
            record["stopped_step"] = result["step"]
        record["final"] = _test(result)
    told = _from_lead(_with_curve(record, workdir) if lead() else None)
    assert told is not None, "it has ended"
    return told


def _finished(files: WaveFiles) -> Record | None:
    records = files.finished()
    return None if records is None else records[0]


def _with_curve(record: Record, workdir: Path) -> Record:
    """Returns the record of a member with what its log holds."""
    log = read_metrics(workdir / "metrics.jsonl")
    held_out = [line for line in log if line["kind"] == "validation"]
    if record["final"] and held_out:
        last = held_out[-1]
        record["final"] |= {"validation_error": last["top1_error"], "validation_loss": last["loss"]}
    return record | {"curve": curve_of(log)}


def _from_lead(record: Record | None) -> Record | None:
    """Returns the record that process 0 has; the curve of train, which may be long, stays there."""
    if alone():
        return record
    told = record
    if record is not None:
        curve = {k: v if k.startswith("validation") else [] for k, v in record["curve"].items()}
        told = record | {"curve": curve}
    said = text_from_lead(json.dumps(told))
    return record if lead() else json.loads(said)


def _poll(preemption: Preemption) -> None:
    """Raises `PreemptionRequested` on all processes if a signal has come to one of them."""
    if str(True) in gather_texts(str(preemption.requested)):
        preemption.answer()


def _test(result: dict[str, Any]) -> dict[str, Any]:
    final = {"test_error": result["top1_error"], "test_loss": result["loss"], "n": result["n"]}
    if "averaged_loss" in result:
        final["averaged_test_error"] = result["averaged_top1_error"]
        final["averaged_test_loss"] = result["averaged_loss"]
    return final


def curve_of(log: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Returns the learning curves in the lines of a `metrics.jsonl`, as a wave keeps them."""
    curve: dict[str, list[Any]] = {name: [] for name in CURVE}
    for line in log:
        if line["kind"] == "train":
            curve["step"].append(line["step"])
            curve["epoch"].append(round(line["epoch"], 6))
            for name in TRAIN_CURVE:
                curve[f"train_{name}"].append(line[name])
        elif line["kind"] == "validation":
            curve["validation_step"].append(line["step"])
            curve["validation_error"].append(line["top1_error"])
            curve["validation_loss"].append(line["loss"])
    return curve


def _on_its_devices(config: ConfigDict) -> ConfigDict:
    """Returns the config as `experiments.train` would run it: a CPU, simulated or not, is one."""
    simulated = "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", "")
    if not alone():
        return config
    if config.parallel.devices is None and jax.default_backend() == "cpu" and simulated:
        return validate(changed(config, {"parallel.devices": 1}))
    return config


def _check_sources(groups: Sequence[Group], directory: Path) -> None:
    """Reads what members begin with, before the first of them trains.

    Raises:
        InputError: something does not fit; the member is named.
    """
    problems: dict[str, None] = {}
    for group in groups:
        seen: set[str] = set()
        for member in group.members:
            given = str(member.config.init_from)
            if given in seen:
                continue
            seen.add(given)
            try:
                where = directory / f"member-{member.index}"
                run = group.run
                warm_start(member.config.init_from, where, run.state_shapes, run.open_weights)
            except InputError as error:
                where_from = member.title.rpartition(", seed")[0]
                problems |= {f"{where_from}: {problem}": None for problem in error.problems}
    if problems:
        raise InputError(list(problems))
