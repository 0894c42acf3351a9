"""The run directory: whether all see it, what fits into it, and how fast it takes a checkpoint."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.doctor.finding import Finding
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.storage.working_copy import copy_of

SAMPLE: Final = 64 << 20  # bytes that are written at most to learn the speed
SECONDS_UNTIL_SEEN: Final = 10.0  # a shared file system may show a new file late
BESIDE: Final = 2  # checkpoints beside those kept: the best one, and one that is being written
MARK: Final = ".doctor-"


def mark(directory: Path, token: str, process: int) -> str:
    """Writes this process's mark into a directory and returns why it cannot, or nothing.

    Args:
        directory: of the run; made if it is not there.
        token: the same on all processes, and new.
        process: the number of this one.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        files.write_text(mine := directory / f"{MARK}{token}-{process}", token)
        if (copy := copy_of(directory)) is not None:
            copy.send_file(mine)
    except (InputError, OSError) as error:
        return str(error)
    return ""


def unseen(
    directory: Path, token: str, processes: int, patience: float = SECONDS_UNTIL_SEEN
) -> list[int]:
    """Returns the processes whose marks cannot be read from here.

    Args:
        directory: of the run.
        token: of the marks.
        processes: how many have written theirs.
        patience: seconds until one that is not there is not seen.
    """
    until = time.monotonic() + patience
    missing = list(range(processes))
    while missing:
        missing = [n for n in missing if not _holds(directory / f"{MARK}{token}-{n}", token)]
        if not missing or time.monotonic() > until:
            break
        time.sleep(0.1)
    return missing


def unmark(directory: Path, token: str, process: int) -> None:
    """Removes this process's mark."""
    mine, copy = directory / f"{MARK}{token}-{process}", copy_of(directory)
    with contextlib.suppress(OSError, InputError):
        mine.unlink(missing_ok=True)
        if copy is not None:
            copy.delete(mine)


def not_there(directory: Path) -> list[Path]:
    """Returns a directory and those above it that do not exist, the innermost first."""
    return [place for place in (directory, *directory.parents) if not place.exists()]


def remove_empty(made: Sequence[Path]) -> None:
    """Removes directories, the innermost first, as far as nothing lies in them."""
    with contextlib.suppress(OSError):
        for place in made:
            place.rmdir()


def shared(directory: Path, problem: str, missing: Sequence[int], processes: int) -> Finding:
    """Returns whether a directory can be written, and read by all processes.

    Args:
        directory: of the run.
        problem: why it cannot be written.
        missing: the processes whose marks cannot be read here.
        processes: how many there are.
    """
    if problem:
        return Finding("workdir", FAIL, problem, "choose another --workdir, or mend its rights")
    if missing:
        who = ", ".join(map(str, missing))
        return Finding(
            "workdir",
            FAIL,
            f"{directory.absolute()}: what process {who} has written is not seen",
            "give a directory on a disk that all hosts share",
        )
    everyone = f"by all {processes} processes" if processes > 1 else "here"
    return Finding("workdir", OK, f"{directory} is written and read {everyone}")


def room(directory: Path, state_bytes: int, keep: int) -> Finding:
    """Returns whether the checkpoints that are kept fit.

    Args:
        directory: of the run.
        state_bytes: of a checkpoint.
        keep: `config.checkpoint.keep`.
    """
    place = next(p for p in (directory, *directory.absolute().parents) if p.exists())
    free, needed = shutil.disk_usage(place).free, state_bytes * (keep + BESIDE)
    said = (
        f"{in_bytes(free)} are free at {place}; {keep} + {BESIDE} checkpoints of "
        f"{in_bytes(state_bytes)} need {in_bytes(needed)}"
    )
    if free >= 2 * needed:
        return Finding("disk", OK, said)
    remedy = "make room: python -m experiments.runs prune runs; or a smaller config.checkpoint.keep"
    return Finding("disk", WARN if free >= needed else FAIL, said, remedy)


def bytes_per_second(directory: Path, size: int) -> float:
    """Returns how fast a directory takes bytes, down to the disk, and on into its store.

    Args:
        directory: that takes them.
        size: how many.

    Raises:
        OSError: it does not take them.
        InputError: its store does not.
    """
    file = directory / f"{MARK}{os.getpid()}"
    block, copy = os.urandom(1 << 20), copy_of(directory)
    began = time.monotonic()
    try:
        with open(file, "wb") as out:
            for _ in range(max(1, size >> 20)):
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        if copy is not None:
            copy.send_file(file)
        return size / max(time.monotonic() - began, 1e-6)
    finally:
        file.unlink(missing_ok=True)
        if copy is not None:
            copy.delete(file)


def time_to_save(speed: float, state_bytes: int, grace: float, lead: float) -> Finding:
    """Returns whether a checkpoint is written between a signal and the end.

    Args:
        speed: of the disk, bytes a second.
        state_bytes: of a checkpoint.
        grace: `config.checkpoint.grace_seconds`: so long the running step is waited for.
        lead: seconds between the signal and the end.
    """
    save = state_bytes / speed
    said = (
        f"SIGTERM comes {lead:g} s ahead; up to {grace:g} s for the running step, and {save:.1f} s "
        f"for {in_bytes(state_bytes)} at {in_bytes(speed)}/s"
    )
    if grace + 2 * save <= lead:
        return Finding("signals", OK, said)
    level = WARN if grace + save <= lead else FAIL
    enough = int(grace + 2 * save) + 10
    return Finding("signals", level, said, f"launch with --lead_seconds={enough}")


def in_bytes(count: float) -> str:
    """Returns a number of bytes as `1.5 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def available_memory(told: Path = Path("/proc/meminfo")) -> int | None:
    """Returns the bytes of memory that this host can give; None where it does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in told.read_text().splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def memory(available: int | None, free_on_device: Mapping[str, int], state_bytes: int) -> Finding:
    """Returns whether the state fits into memory: a step on the devices, or on the host.

    Args:
        available: bytes of the host; None: not known.
        free_on_device: bytes of each device that tells.
        state_bytes: of parameters, optimizer state and averages.
    """
    most = 3 * state_bytes  # the state, its gradients and updates, at the least
    places = {"the host": (available, state_bytes if free_on_device else most)}
    places |= {name: (free, most) for name, free in free_on_device.items()}
    known = {name: free for name, (free, _) in places.items() if free is not None}
    if not known:
        return Finding("memory", OK, "neither host nor devices tell what is free")
    said = ", ".join(f"{in_bytes(free)} free on {name}" for name, free in known.items())
    said += f"; the state has {in_bytes(state_bytes)}, a step needs three times that"
    if short := [name for name, free in known.items() if free < places[name][1]]:
        remedy = "a smaller network, or parallel.shard_parameters; train --estimate tells all"
        return Finding("memory", FAIL, f"{said}: too much for {', '.join(short)}", remedy)
    return Finding("memory", OK, said)


def _holds(file: Path, token: str) -> bool:
    copy = copy_of(file)
    try:
        return (file.read_text() if copy is None else copy.read(file)) == token
    except (OSError, UnicodeDecodeError, InputError):
        return False
