"""Several processes as one run: how they meet, agree, wait for one another and leave together."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import itertools
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax._src import distributed as jax_distributed  # where jax keeps the store of all processes
from jax.experimental import multihost_utils

from cnn_jax.config.problems import InputError
from cnn_jax.devices.roll_call import answer_roll, call_roll

SECONDS_BETWEEN_LOOKS = 0.5  # at whether another process has left
SECONDS_TO_LEAVE = 5.0  # that process 0, which keeps the store, waits for the others
WHY, LEFT = "cnn_jax/why", "cnn_jax/left"  # a process leaves; those that have left
EXCHANGED = itertools.count()


def start(distributed: Any) -> None:
    """Joins the processes of a run; does nothing where `distributed` asks for nothing.

    Must run before anything touches a device.

    Args:
        distributed: `config.distributed`.

    Raises:
        InputError: the other processes did not come in time, or their numbers are wrong.
    """
    if distributed.detect:
        try:
            jax.distributed.initialize(
                initialization_timeout=int(distributed.timeout_seconds),
                heartbeat_timeout_seconds=int(distributed.heartbeat_seconds),
            )
        except Exception as error:  # of every kind of cluster, and grpc's own
            raise InputError(
                "config.distributed.detect: jax could not find or meet the other processes: "
                f"{' '.join(str(error).split()):.400}; it knows those of Slurm, Open MPI, "
                "Kubernetes and TPU pods: elsewhere name them by config.distributed.coordinator, "
                "processes and process_id, and alone leave detect unset"
            ) from error
        _watch()
        return
    if distributed.coordinator is None or distributed.processes == 1:
        return
    began, listen_at = time.monotonic(), None
    if distributed.process_id == 0:
        listen_at = call_roll(distributed)
    else:
        answer_roll(distributed)
    left = max(5, int(distributed.timeout_seconds - (time.monotonic() - began)))
    try:
        jax.distributed.initialize(
            distributed.coordinator,
            distributed.processes,
            distributed.process_id,
            initialization_timeout=left,
            heartbeat_timeout_seconds=int(distributed.heartbeat_seconds),
            coordinator_bind_address=os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", listen_at),
        )
    except Exception as error:  # grpc's own kinds
        raise InputError(
            f"process {distributed.process_id} of {distributed.processes} waited "
            f"{time.monotonic() - began:.0f} s at {distributed.coordinator} for the others: "
            f"{' '.join(str(error).split()):.400}"
        ) from error
    _watch()


def alone() -> bool:
    """Whether this process is the only one of the run."""
    return jax.process_count() == 1


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
    store, name = _store(), f"cnn_jax/texts/{next(EXCHANGED)}"
    store.key_value_set(f"{name}/{jax.process_index()}", text)
    return [_when_there(store, f"{name}/{process}") for process in range(count)]


def check_equal(what: str, facts: Mapping[str, Any]) -> None:
    """Checks that all processes say the same; all must call.

    Args:
        what: they were asked about, in words.
        facts: what this one says, by name; JSON holds the values.

    Raises:
        InputError: on all of them, name by name and process by process, where they do not.
    """
    if lines := differences([json.loads(text) for text in gather_texts(json.dumps(facts))]):
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


def _some(numbers: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def leave(error: Exception) -> None:
    """Ends this process and all others, where others take part: they would wait for it.

    They are told why and end as this one does. Python's own way out waits for the others to leave,
    who may be waiting for this process.

    Args:
        error: why it cannot go on; printed.
    """
    if jax.process_count() == 1:
        return
    if isinstance(error, InputError):
        text = "\n".join(f"error: {problem}" for problem in error.problems)
    else:
        text = "".join(traceback.format_exception(error)).rstrip()
    code = 2 if isinstance(error, InputError) else 1
    told = {"process": jax.process_index(), "code": code, "text": text}
    with contextlib.suppress(Exception):  # another one was first: they have ended already
        _store().key_value_set(WHY, json.dumps(told))
    _end(code, text)


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
    said = gather_texts(json.dumps(problem if jax.process_index() == 0 else None))[0]
    if (refusal := json.loads(said)) is not None:
        raise InputError(refusal)


def text_from_lead(text: str) -> str:
    """Returns what process 0 says; all must call."""
    return gather_texts(text)[0]


def short_digest(content: Any) -> str:
    """Returns sixteen hex digits of the SHA-256 of bytes, by which processes compare them."""
    return hashlib.sha256(content).hexdigest()[:16]


def _store() -> Any:
    """Returns the store of texts that process 0 keeps for all."""
    store = jax_distributed.global_state.client
    assert store is not None, "several processes, and jax.distributed has not met them"
    return store


def _when_there(store: Any, key: str) -> str:
    while True:
        try:
            return str(store.blocking_key_value_get(key, 10_000))
        except jax.errors.JaxRuntimeError as error:
            if "DEADLINE_EXCEEDED" not in str(error):
                raise  # the others may take long, as to read their data; one that is lost does not


def _told() -> dict[str, Any] | None:
    """Returns what a process said that has left; None while none has."""
    try:
        return dict(json.loads(_store().key_value_try_get(WHY)))
    except jax.errors.JaxRuntimeError:  # nobody has left
        return None


def _watch() -> None:
    """Ends this process as soon as another one has left, wherever it waits for it."""
    ending = threading.Event()

    def look() -> None:
        while not ending.wait(SECONDS_BETWEEN_LOOKS):
            if (told := _told()) is not None and told["process"] != jax.process_index():
                _end(told["code"], f"process {told['process']} has ended the run:\n{told['text']}")

    watcher = threading.Thread(target=look, name="others", daemon=True)
    watcher.start()

    def stop() -> None:
        ending.set()
        watcher.join(timeout=SECONDS_TO_LEAVE)

    atexit.register(stop)  # before jax takes the store down: its own handler was registered earlier


def _end(code: int, text: str) -> None:
    """Prints and ends at once; process 0, which keeps the store, lets the others go first."""
    with contextlib.suppress(OSError):  # nobody may listen any more
        print(text, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(Exception):  # the store may be gone
        me, store = jax.process_index(), _store()
        store.key_value_set(f"{LEFT}/{me}", socket.gethostname())
        until = time.monotonic() + SECONDS_TO_LEAVE
        while me == 0 and time.monotonic() < until:
            if len(store.key_value_dir_get(LEFT)) >= jax.process_count():
                break
            time.sleep(0.05)
    os._exit(code)
