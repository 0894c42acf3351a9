"""One sum over all devices: whether it is right, and how fast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from cnn_jax.devices.parallel import AXIS, Devices
from cnn_jax.diagnostics.doctor.disks import in_bytes
from cnn_jax.diagnostics.doctor.finding import Finding
from cnn_jax.diagnostics.levels import FAIL, OK

ELEMENTS: Final = 1 << 20  # of float32 on each device
PATIENCE: Final = 30.0  # seconds
ROUNDS: Final = 3
CABLES: Final = "look at the network between the hosts: firewall, NCCL_SOCKET_IFNAME, cables"


class Summed(NamedTuple):
    """What came of it.

    Attributes:
        values: the sum, as this process has it, float32 (elements,).
        seconds: of the fastest round.
    """

    values: np.ndarray
    seconds: float


def all_reduce(devices: Devices, elements: int = ELEMENTS) -> Summed:
    """Returns the sum over the devices of arrays that hold the number of their device, from 1."""
    count = len(devices.devices)
    rows = NamedSharding(devices.mesh, PartitionSpec(AXIS))

    def row(index: tuple[slice, ...] | None) -> np.ndarray:
        assert index is not None
        return np.full((1, elements), (index[0].start or 0) + 1, np.float32)

    each = jax.make_array_from_callback((count, elements), rows, row)
    summed = jax.jit(lambda array: array.sum(axis=0), out_shardings=devices.everywhere)
    result = summed(each)
    result.block_until_ready()
    seconds = float("inf")
    for _ in range(ROUNDS):
        began = time.monotonic()
        result = summed(each)
        result.block_until_ready()
        seconds = min(seconds, time.monotonic() - began)
    return Summed(np.asarray(result.addressable_data(0)), seconds)


def within(patience: float, work: Callable[[], Summed]) -> Summed | Exception | None:
    """Returns what some work gives or raises; None: it has not ended in so many seconds."""
    outcome: list[Summed | Exception] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # the compiler's, and those of every network below
            outcome.append(error)

    thread = threading.Thread(target=run, name="all-reduce", daemon=True)
    thread.start()
    thread.join(patience)
    return outcome[0] if outcome else None


def judged(summed: Summed | Exception | None, devices: int, patience: float = PATIENCE) -> Finding:
    """Returns whether the sum came, is right, and how fast.

    Args:
        summed: what came of it; None: nothing did.
        devices: how many took part.
        patience: seconds that were waited.
    """
    if summed is None:
        return Finding("all-reduce", FAIL, f"it did not end in {patience:g} s", CABLES)
    if isinstance(summed, Exception):
        return Finding("all-reduce", FAIL, f"{' '.join(str(summed).split()):.300}", CABLES)
    expected = devices * (devices + 1) / 2
    if wrong := np.flatnonzero(summed.values != expected).size:
        return Finding(
            "all-reduce",
            FAIL,
            f"{wrong:,} of {summed.values.size:,} sums are wrong: {summed.values.min():g} to "
            f"{summed.values.max():g} instead of {expected:g}",
            "a device or a link computes wrongly: leave its host out",
        )
    size = summed.values.nbytes
    said = f"the sum of {in_bytes(size)} from each of {devices} devices is right"
    if devices == 1:
        return Finding("all-reduce", OK, "one device: nothing is sent; its sum is right")
    # Of a ring each device sends and receives this part of the array twice.
    sent = 2 * (devices - 1) / devices * size
    return Finding("all-reduce", OK, f"{said}: {in_bytes(sent / summed.seconds)}/s a device")
