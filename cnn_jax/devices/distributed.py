"""Several processes as one run: how they meet, agree and wait for one another."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax._src import clusters  # what jax knows of Slurm, pods and others
from jax.experimental import multihost_utils

from cnn_jax.config.problems import InputError
from cnn_jax.devices.leaving import MORE_FOR_JAX, store, watch
from cnn_jax.devices.roll_call import answer_roll, call_roll

MOST_NAMED = 8  # processes, in a message
EXCHANGED = itertools.count()


def start(distributed: Any) -> None:
    """Joins the processes of a run; does nothing where `distributed` asks for nothing.

    Must run before anything touches a device.

    Args:
        distributed: `config.distributed`.

    Raises:
        InputError: the other processes did not come in time, or their numbers are wrong.
    """
    if not distributed.detect and distributed.coordinator is None:
        return
    place = _found(distributed) if distributed.detect else distributed
    if place.processes == 1:
        return
    began, listen_at = time.monotonic(), None
    if place.process_id == 0:
        listen_at = call_roll(place)
    else:
        answer_roll(place)
    left = max(5, int(place.timeout_seconds - (time.monotonic() - began)))
    try:
        jax.distributed.initialize(
            place.coordinator,
            place.processes,
            place.process_id,
            initialization_timeout=left,
            heartbeat_timeout_seconds=int(place.heartbeat_seconds + MORE_FOR_JAX),
            coordinator_bind_address=os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", listen_at),
        )
    except Exception as error:  # grpc's own kinds
        raise InputError(
            f"process {place.process_id} of {place.processes} waited "
            f"{time.monotonic() - began:.0f} s at {place.coordinator} for the others: "
            f"{' '.join(str(error).split()):.400}"
        ) from error
    watch(place.heartbeat_seconds)


def alone() -> bool:
    """Whether this process is the only one of the run."""
    return jax.process_count() == 1


def which_process() -> tuple[int, int]:
    """Returns the number of this process, and how many there are."""
    return jax.process_index(), jax.process_count()


def lead() -> bool:
    """Whether this process speaks and writes for all."""
    return jax.process_index() == 0


def gather(values: list[int]) -> np.ndarray:
    """Returns the values of every process, int (processes, len(values)); all must call."""
    if jax.process_count() == 1:
        return np.array([values])
    return np.asarray(multihost_utils.process_allgather(np.array(values, np.int32)))


def gather_texts(text: str) -> list[str]:
    """Returns the texts of all processes, in their order; all must call.

    Nothing is compiled and no device is touched.
    """
    count = jax.process_count()
    if count == 1:
        return [text]
    kept, name = store(), f"cnn_jax/texts/{next(EXCHANGED)}"
    kept.key_value_set(f"{name}/{jax.process_index()}", text)
    return [_when_there(kept, f"{name}/{process}") for process in range(count)]


def check_equal(what: str, facts: Mapping[str, Any]) -> None:
    """Checks that all processes say the same; all must call.

    Args:
        what: they were asked about, in words.
        facts: what this one says, by name; JSON holds the values.

    Raises:
        InputError: on all of them, name by name and process by process, where they do not.
    """
    told = [json.loads(t) for t in gather_texts(json.dumps([socket.gethostname(), facts]))]
    hosts, said = zip(*told, strict=True)
    if lines := differences(said):
        if len(set(hosts)) > 1:
            named = [f"process {process} runs on {host}" for process, host in enumerate(hosts)]
            lines.append(", ".join(named[:MOST_NAMED]))
        raise InputError(
            f"the processes do not agree on {what}; nothing was begun:\n  " + "\n  ".join(lines)
        )


def differences(said: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a line for each name on which processes differ, with what each of them says.

    Args:
        said: by each process, in their order.
    """
    names = dict.fromkeys(name for facts in said for name in facts)
    lines = []
    for name in names:
        by_value: dict[str, list[int]] = {}
        for process, facts in enumerate(said):
            value = repr(facts[name]) if name in facts else "nothing"
            by_value.setdefault(value, []).append(process)
        if len(by_value) > 1:
            parts = [f"{value} on process {_some(who)}" for value, who in by_value.items()]
            lines.append(f"{name}: {'; '.join(parts)}")
    return lines


def _some(numbers: Sequence[int]) -> str:
    shown, more = ", ".join(map(str, numbers[:MOST_NAMED])), len(numbers) - MOST_NAMED
    return shown if more <= 0 else f"{shown} and {more} more"


def wait_for_all(name: str) -> None:
    """Returns once every process has come to this call."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def lead_says(problem: str | None) -> None:
    """Carries a refusal of process 0 to all: everybody raises it, nobody waits for the other.

    Args:
        problem: what process 0 found wrong, or None; ignored on the others.

    Raises:
        InputError: process 0 found something wrong.
    """
    said = gather_texts(json.dumps(problem if lead() else None))[0]
    if (refusal := json.loads(said)) is not None:
        raise InputError(refusal)


def text_from_lead(text: str) -> str:
    """Returns what process 0 says; all must call."""
    return gather_texts(text)[0]


def short_digest(content: Any) -> str:
    """Returns sixteen hex digits of the SHA-256 of bytes, by which processes compare them."""
    return hashlib.sha256(content).hexdigest()[:16]


def _when_there(kept: Any, key: str) -> str:
    while True:
        try:
            return str(kept.blocking_key_value_get(key, 10_000))
        except jax.errors.JaxRuntimeError as error:
            if "DEADLINE_EXCEEDED" not in str(error):
                raise  # the others may take long, as to read their data; one that is lost does not


class Place(NamedTuple):
    """Where a process stands among the others, as a cluster tells it."""

    coordinator: str
    processes: int
    process_id: int
    timeout_seconds: float
    heartbeat_seconds: float


def _found(distributed: Any) -> Place:
    """Returns what jax finds out of a cluster; here, so that the roll is called there, too."""
    elsewhere = (
        "; it knows those of Slurm, Open MPI, Kubernetes and TPU pods: elsewhere name them by "
        "config.distributed.coordinator, processes and process_id, and alone leave detect unset"
    )
    try:
        address, count, number, _ = clusters.ClusterEnv.auto_detect_unset_distributed_params(
            os.environ.get("JAX_COORDINATOR_ADDRESS"),
            *(None, None, None, None),
            int(distributed.timeout_seconds),
        )
    except Exception as error:  # of every kind of cluster
        raise InputError(
            "config.distributed.detect: jax could not find the other processes: "
            f"{' '.join(str(error).split()):.400}{elsewhere}"
        ) from error
    if address is None or count is None or number is None:
        raise InputError(
            f"config.distributed.detect: jax finds no cluster around this process{elsewhere}"
        )
    return Place(address, count, number, distributed.timeout_seconds, distributed.heartbeat_seconds)
