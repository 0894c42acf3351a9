"""Several processes as one run: how they meet, agree and wait for one another."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from cnn_jax.config.problems import InputError

SECONDS_BETWEEN_TRIES = 0.5


def start(distributed: Any) -> None:
    """Joins the processes of a run; does nothing where `distributed` asks for nothing.

    Must run before anything touches a device.

    Args:
        distributed: `config.distributed`.

    Raises:
        InputError: the other processes did not come in time; the message says which was waited for.
    """
    if distributed.detect:
        jax.distributed.initialize(
            initialization_timeout=int(distributed.timeout_seconds),
            heartbeat_timeout_seconds=int(distributed.heartbeat_seconds),
        )
        return
    if distributed.coordinator is None or distributed.processes == 1:
        return
    began = time.monotonic()
    if distributed.process_id > 0:
        wait_for_coordinator(distributed)
    left = max(5, int(distributed.timeout_seconds - (time.monotonic() - began)))
    try:
        jax.distributed.initialize(
            distributed.coordinator,
            distributed.processes,
            distributed.process_id,
            initialization_timeout=left,
            heartbeat_timeout_seconds=int(distributed.heartbeat_seconds),
        )
    except Exception as error:  # grpc's own kinds
        raise InputError(
            f"process {distributed.process_id} of {distributed.processes} waited "
            f"{time.monotonic() - began:.0f} s at {distributed.coordinator} for the others: "
            f"{' '.join(str(error).split()):.400}"
        ) from error


def wait_for_coordinator(distributed: Any) -> None:
    """Waits until process 0 listens.

    Raises:
        InputError: nobody listens there before the deadline.
    """
    host, _, port = distributed.coordinator.rpartition(":")
    deadline = time.monotonic() + distributed.timeout_seconds
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return
        except (OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"process {distributed.process_id} waited {distributed.timeout_seconds:g} s "
                    f"for process 0 at {distributed.coordinator}: nobody listens there ({error}); "
                    "is it started, and is the address reachable from here?"
                ) from error
            time.sleep(SECONDS_BETWEEN_TRIES)


def gather(values: list[int]) -> np.ndarray:
    """Returns the values of every process, int (processes, len(values)); all must call."""
    if jax.process_count() == 1:
        return np.array([values])
    return np.asarray(multihost_utils.process_allgather(np.array(values, np.int32)))


def leave(error: Exception) -> None:
    """Ends this process at once where others take part: they would wait for it until they end.

    Python's own way out waits for the others to leave, who may be waiting for this process.

    Args:
        error: why it cannot go on; printed.
    """
    if jax.process_count() == 1:
        return
    if isinstance(error, InputError):
        print("\n".join(f"error: {problem}" for problem in error.problems), file=sys.stderr)
    else:
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2 if isinstance(error, InputError) else 1)


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
    lead = jax.process_index() == 0
    refused = int(gather([int(lead and problem is not None)])[0, 0])
    if refused:
        raise InputError(
            (problem if lead else None) or "process 0 refused to start: see its message"
        )
