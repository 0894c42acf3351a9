"""All checks in their order, on every process of a run; the findings of all in one table."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
from ml_collections import ConfigDict

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.plan import make_plan
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.devices.distributed import gather_texts, start, text_from_lead
from cnn_jax.devices.parallel import Devices
from cnn_jax.diagnostics.doctor import accelerators, all_reduce, disks, meeting
from cnn_jax.diagnostics.doctor.finding import Finding, merged
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.step.state import create_state
from cnn_jax.storage.run_directory import check_directory
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import network_of, set_precision
from cnn_jax.training.same_run import code_facts, config_facts, contents_of

SECONDS_TO_MEET: Final = 30.0  # a run waits longer; a check is over in a minute
SPLITS: Final = ("train", "validation", "test")


class Examined(NamedTuple):
    """What came of it, the same on all processes.

    Attributes:
        findings: of all checks.
        lead: whether this process is the one that speaks for all.
        stuck: whether something still hangs, and only ending the process at once ends it.
    """

    findings: list[Finding]
    lead: bool
    stuck: bool


def examine(config: Config, workdir: str, lead_seconds: float) -> Examined:
    """Makes all checks; must run before anything touches a device, on all processes.

    Nothing is left behind, and what is wrong is in the findings.

    Args:
        config: validated.
        workdir: of the run; a path, or the address of a store.
        lead_seconds: between SIGTERM and the end, as the launcher asks for it.
    """
    devices_here = accelerators.present()
    holders = accelerators.holders(devices_here)  # before this process is one
    apart = _meet(config)
    found: list[Finding] = []
    set_precision(config.precision)
    try:
        with Waiting("looking for devices"):
            host, count = socket.gethostname(), jax.process_count()
    except Exception as error:  # jax raises many kinds where a backend does not start
        said = f"jax finds no device: {' '.join(str(error).split()):.300}"
        lost = Finding("devices", FAIL, said, "see JAX_PLATFORMS, the driver, the extras cuda, tpu")
        busy = accelerators.held(holders, [], devices_here)
        return Examined([*([apart] if apart else []), lost, busy], lead=True, stuck=False)
    who = [json.loads(said) for said in gather_texts(json.dumps([host, os.getpid()]))]
    hosts = [name for name, _ in who]
    found.append(apart or meeting.met(hosts, config.distributed.coordinator))
    found += _same_program(config)
    devices, of_devices = _devices(config, devices_here)
    found += of_devices
    ours = [pid for name, pid in who if name == host]
    found.append(accelerators.held(holders, ours, devices_here))
    dataset, of_data = _data(config)
    found += of_data
    place, problem = _opened(workdir)
    found.append(_workdir(config, place, problem, count))
    state_bytes, of_network = _state_bytes(config, dataset)
    found += of_network
    if state_bytes is not None:
        found += _sizes(config, place, state_bytes, devices, lead_seconds)
    found.append(_clocks())
    stuck = False
    if all(json.loads(said) for said in gather_texts(json.dumps(devices is not None))):
        assert devices is not None
        summing = devices
        with Waiting("adding up over all devices"):
            summed = all_reduce.within(all_reduce.PATIENCE, lambda: all_reduce.all_reduce(summing))
        stuck = summed is None
        found.append(all_reduce.judged(summed, len(devices.devices)))
    told = [[Finding(*one) for one in json.loads(said)] for said in gather_texts(json.dumps(found))]
    return Examined(merged(told, hosts), jax.process_index() == 0, stuck)


def _meet(config: Config) -> Finding | None:
    """Joins the other processes; returns why not, where they are asked for and do not come."""
    if not (config.distributed.detect or config.distributed.coordinator):
        return None
    patient = ConfigDict(config.distributed.to_dict())
    patient.timeout_seconds = min(SECONDS_TO_MEET, patient.timeout_seconds)
    try:
        with Waiting("waiting for the other processes"):
            start(patient)
    except InputError as error:
        return meeting.not_met(config.distributed, error)
    return None


def _same_program(config: Config) -> list[Finding]:
    code, keys = code_facts(), config_facts(config)
    said = [json.loads(text) for text in gather_texts(json.dumps([code, keys]))]
    versions = [name for name in code if name.startswith("version of ")]
    shown = ", ".join(f"{name.removeprefix('version of ')} {code[name]}" for name in versions)
    return [
        meeting.equal(
            "versions",
            [one[0] for one in said],
            shown,
            "install the same code and libraries on all hosts: constraints.txt has them",
        ),
        meeting.equal(
            "config",
            [one[1] for one in said],
            f"hash {config_hash(to_tree(config))}, {len(keys)} keys",
            "give the same file and overrides to all processes",
        ),
    ]


def _devices(config: Config, present: list[str]) -> tuple[Devices | None, list[Finding]]:
    """Returns the devices of the run, and what is to be said of them."""
    local = jax.local_devices()
    here = {"kind of device": local[0].device_kind, "devices of a process": len(local)}
    said = [json.loads(text) for text in gather_texts(json.dumps(here))]
    remedy = "let all hosts be of one kind, and see all their devices"
    try:
        parallel = config.parallel
        devices = Devices(parallel.mode, parallel.devices, parallel.shard_parameters)
        parts = config.train.accumulation_steps
        devices.check_batch("config.train.batch_size", config.train.batch_size, parts)
        devices.check_batch("config.evaluation.batch_size", config.evaluation.batch_size)
    except InputError as error:
        return None, [Finding("devices", FAIL, str(error), "see config.parallel.devices")]
    finding = meeting.equal("devices", said, devices.describe(), remedy)
    asked = os.environ.get("JAX_PLATFORMS")
    unused = accelerators.used(local[0].platform, present, asked)
    return devices, [unused if unused and finding.level == OK else finding]


def _data(config: Config) -> tuple[Dataset | None, list[Finding]]:
    """Returns the data set, and whether all processes see it and the same; nothing is decoded."""
    dataset, problem = None, ""
    facts: dict[str, Any] = {}
    try:
        with Waiting(f"reading {config.data.directory or config.data.source}"):
            dataset = sources.dataset_for(config, resident=())
            print_of_it = dataset.fingerprint or sources.fingerprint(config.data)
            facts = {"fingerprint": print_of_it, "image shape": list(dataset.image_shape)}
            for name in SPLITS:
                split = getattr(dataset, name)
                facts |= {f"examples of {name}": len(split)} | contents_of(name, split)
    except (InputError, OSError) as error:
        problem = str(error)
    said = [json.loads(text) for text in gather_texts(json.dumps([problem, facts]))]
    if problem:
        return None, [Finding("data", FAIL, problem, "see config.data.directory on this host")]
    if any(other for other, _ in said):
        return dataset, [Finding("data", OK, "it is seen here")]
    assert dataset is not None
    counts = ", ".join(f"{name} {len(getattr(dataset, name)):,}" for name in SPLITS)
    shown = f"{counts}; " + (f"fingerprint {print_of_it:.12}" if print_of_it else "made here")
    remedy = "bring the same files to all hosts: python -m experiments.prepare"
    return dataset, [meeting.equal("data", [one for _, one in said], shown, remedy)]


def _opened(workdir: str) -> tuple[Path, str]:
    """Returns where a run directory is worked on here, and why it cannot be, or nothing."""
    try:
        with Waiting(f"opening {workdir}"):
            return directory("--workdir", workdir, light=True), ""
    except InputError as error:
        return Path(), str(error)


def _workdir(config: Config, workdir: Path, problem: str, count: int) -> Finding:
    """Returns whether all processes write into one directory and read what the others wrote."""
    me, made = jax.process_index(), disks.not_there(workdir)
    token = text_from_lead(secrets.token_hex(8) if me == 0 else "")  # and nobody makes it before
    try:
        if not problem:
            check_directory(workdir, to_tree(config))
    except (InputError, OSError) as error:
        problem = str(error)
    problem = problem or disks.mark(workdir, token, me)
    problems = gather_texts(problem)  # afterwards all have written
    missing = [] if any(problems) else disks.unseen(workdir, token, count)
    gather_texts("read")
    disks.unmark(workdir, token, me)
    gather_texts("removed")
    disks.remove_empty(made)
    if not problem and any(problems):
        return Finding("workdir", OK, "it is written here")
    return disks.shared(workdir, problem, missing, count)


def _state_bytes(config: Config, dataset: Dataset | None) -> tuple[int | None, list[Finding]]:
    """Returns the bytes of the state of the run, of which nothing is drawn."""
    if dataset is None:
        said = "without the data nothing is known of its size"
        return None, [Finding("memory", WARN, f"not checked, nor is the disk: {said}")]
    try:
        plan = make_plan(config, len(dataset.train))
        model, shape = network_of(config, dataset.num_classes), dataset.image_shape
        with Waiting("checking the shapes"):
            state = jax.eval_shape(lambda: create_state(config, plan, model, shape))
    except InputError as error:
        return None, [Finding("network", FAIL, str(error), "see experiments.describe")]
    leaves = jax.tree.leaves(state)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves), []


def _sizes(
    config: Config, workdir: Path, state_bytes: int, devices: Devices | None, lead_seconds: float
) -> list[Finding]:
    """Returns whether memory, disk and the time after a signal suffice for the state."""
    free = {}
    for device in jax.local_devices():
        stats = device.memory_stats() if device.platform != "cpu" else None
        if stats and "bytes_limit" in stats:
            free[str(device)] = stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    parts = len(devices.devices) if devices and config.parallel.shard_parameters else 1
    found = [
        disks.memory(disks.available_memory(), free, state_bytes // parts),
        disks.room(workdir, state_bytes, config.checkpoint.keep),
    ]
    place = next(p for p in (workdir, *workdir.absolute().parents) if p.is_dir())
    try:
        with Waiting(f"writing into {place}"):
            speed = disks.bytes_per_second(place, min(disks.SAMPLE, max(1 << 23, state_bytes)))
    except (OSError, InputError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return [*found, Finding("signals", FAIL, f"{place}: {why}", "make it writable")]
    grace = config.checkpoint.grace_seconds
    return [*found, disks.time_to_save(speed, state_bytes, grace, lead_seconds)]


def _clocks() -> Finding:
    gather_texts("now")  # all are here
    began = time.monotonic()
    times = [float(said) for said in gather_texts(repr(time.time()))]
    return meeting.clocks(times, time.monotonic() - began)
