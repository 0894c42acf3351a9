"""Accelerators of a host: whether they are used, and by whom else."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cnn_jax.config.problems import brief
from cnn_jax.diagnostics.doctor.finding import Finding
from cnn_jax.diagnostics.levels import FAIL, OK, WARN

TPUS: Final = ("/dev/accel[0-9]*", "/dev/vfio/[0-9]*")  # the second since v5
GPUS: Final = ("/dev/nvidia[0-9]*",)
MUCH: Final = 1024  # MiB of a GPU: jax takes three quarters of it at once
# Of the driver and of those who watch it: they have a GPU open, and compute nothing.
WATCH: Final = ("nvidia-persistenced", "nv-hostengine", "dcgm-exporter", "Xorg")
CHECK: Final = "accelerator"


class Holder(NamedTuple):
    """Another process that has an accelerator open.

    Attributes:
        pid: its number.
        name: its command line.
        device: the file, or what the driver says.
        mebibytes: of the device's memory that it has; None: not known.
        computes: whether the driver says so.
    """

    pid: int
    name: str
    device: str
    mebibytes: int | None = None
    computes: bool = False

    @property
    def grave(self) -> bool:
        """Whether a run could not use the device beside it: a TPU is one process's alone."""
        if not self.computes and self.device.startswith("/dev/nvidia"):
            return False
        return self.mebibytes is None or self.mebibytes >= MUCH


def present(patterns: Sequence[str] = (*TPUS, *GPUS)) -> list[str]:
    """Returns the files of the accelerators that this host has."""
    return sorted(found for pattern in patterns for found in glob.glob(pattern))


def holders(devices: Collection[str], processes: Path = Path("/proc")) -> list[Holder]:
    """Returns the processes, but this one, that have an accelerator open, as far as can be seen.

    Of processes of other users Linux tells nothing; of GPUs the driver does.

    Args:
        devices: files of accelerators.
        processes: where the system tells of them.
    """
    found = []
    for process in processes.glob("[0-9]*") if devices else ():
        if int(process.name) == os.getpid():
            continue
        try:
            opened = {os.readlink(link) for link in (process / "fd").iterdir()}
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # another user's, or it has just ended
            continue
        name = " ".join(words).strip()
        for device in sorted(opened & set(devices)):
            if not any(one in name for one in WATCH):
                found.append(Holder(int(process.name), name, device))
    driver = {holder.pid: holder for holder in _of_the_driver() if holder.pid != os.getpid()}
    told = [
        holder._replace(mebibytes=driver[holder.pid].mebibytes, computes=True)
        if holder.pid in driver
        else holder
        for holder in found
    ]
    known = {holder.pid for holder in found}
    return told + [holder for pid, holder in driver.items() if pid not in known]


def _of_the_driver() -> list[Holder]:
    """Returns the processes that compute on GPUs, of all users, as NVIDIA's driver tells them."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-compute-apps=pid,process_name,used_memory"]
    try:
        done = subprocess.run(
            [*query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    told = []
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and parts[0].isdigit():
            memory = int(parts[2]) if parts[2].isdigit() else None
            told.append(Holder(int(parts[0]), parts[1], "a GPU", memory, True))
    return told


def held(found: Sequence[Holder], ours: Collection[int], devices: Sequence[str]) -> Finding:
    """Returns whether accelerators are free.

    Args:
        found: the processes that hold some.
        ours: the numbers of the processes of this run, on this host.
        devices: the accelerators of this host.
    """
    others = [holder for holder in found if holder.pid not in ours]
    if not others:
        there = ", ".join(devices) if devices else "none on this host"
        return Finding(CHECK, OK, f"{there}; no other process holds one")
    lines = [
        f"process {one.pid} ({brief(one.name)}) holds {one.device}"
        + (f" with {one.mebibytes:,} MiB" if one.mebibytes is not None else "")
        for one in others
    ]
    level = FAIL if any(one.grave for one in others) else WARN
    numbers = " ".join(str(one.pid) for one in others)
    return Finding(CHECK, level, "; ".join(lines), f"wait for it, or end it: kill {numbers}")


def used(platform: str, devices: Sequence[str], asked: str | None) -> Finding | None:
    """Returns a finding where jax computes on the CPU of a host that has accelerators.

    Args:
        platform: of jax's devices.
        devices: the accelerators of this host.
        asked: JAX_PLATFORMS.
    """
    if platform != "cpu" or not devices:
        return None
    if asked:
        said, remedy = f"by JAX_PLATFORMS={asked}", "unset it, if the accelerators are meant"
    else:
        said, remedy = "jax knows no plugin for it", "pip install 'cnn_jax[cuda]' or 'cnn_jax[tpu]'"
    return Finding(
        "devices", WARN, f"the CPU is used, though {devices[0]} is there: {said}", remedy
    )
