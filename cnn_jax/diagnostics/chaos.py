"""Kill a run at random moments, and hold what it ends with against a run that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import read_metrics

FINISHED, PREEMPTED = 0, 75


@dataclass
class Chaos:
    """What was done to a run, and what it ended with.

    Attributes:
        signals: how often each signal was sent.
        phases: in which phase of the run, as its output and files tell.
        codes: exit codes of the interrupted starts.
        same_arrays: whether the final checkpoint equals the other, bit for bit.
        same_log: whether `metrics.jsonl` does, byte for byte; it holds the ids of every batch.
        lost: examples that some epoch of the log lacks or repeats.
        unreadable: checkpoints that cannot be read at the end.
    """

    signals: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    same_arrays: bool = False
    same_log: bool = False
    lost: int = 0
    unreadable: int = 0

    @property
    def passed(self) -> bool:
        """Whether the run is the run that was left alone."""
        return self.same_arrays and self.same_log and not self.lost and not self.unreadable


def torment(
    command: list[str], workdir: Path, kills: int, longest: float, rng: random.Random
) -> Chaos:
    """Starts a run again and again, sends it SIGKILL or SIGTERM, and at last lets it finish.

    Args:
        command: that trains in `workdir`.
        workdir: the run directory.
        kills: how many.
        longest: seconds after the start within which a signal is sent.
        rng: decides when, what and to whom.

    Raises:
        RuntimeError: the run failed on its own.
    """
    chaos = Chaos()
    while sum(chaos.signals.values()) < kills:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        before = _progress(workdir)
        try:
            process.wait(timeout=rng.uniform(0.5, longest))
        except subprocess.TimeoutExpired:
            number = rng.choice((signal.SIGKILL, signal.SIGTERM))
            chaos.phases[_phase(workdir, before)] += 1
            os.kill(rng.choice(_members(process.pid)), number)
            chaos.signals[number.name] += 1
        out, _ = process.communicate(timeout=120)
        _end(process.pid)
        chaos.codes[process.returncode] += 1
        if process.returncode == FINISHED:
            sent = sum(chaos.signals.values())
            raise RuntimeError(f"the run was finished after {sent} kills: make it longer")
        if process.returncode == 2:
            raise RuntimeError(out.decode(errors="replace")[-2000:])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != FINISHED:
        raise RuntimeError(f"the last start ended with {done.returncode}: {done.stderr[-2000:]}")
    return chaos


def compare(chaos: Chaos, tormented: Path, alone: Path, examples: int) -> None:
    """Fills in what the tormented run ended with.

    Args:
        chaos: is changed.
        tormented: run directory.
        alone: run directory of the same config, never interrupted.
        examples: in train.
    """
    trees = []
    for workdir in (tormented, alone):
        checkpoints = Checkpoints(workdir, read_only=True)
        step = checkpoints.latest
        assert step is not None
        trees.append(checkpoints.read_arrays(step)[0])
        steps = sorted(int(p.name) for p in checkpoints.directory.glob("[0-9]*"))
        if workdir == tormented:
            chaos.unreadable = sum(not _readable(checkpoints, s) for s in steps)
        checkpoints.close()
    leaves = [jax.tree.leaves(tree) for tree in trees]
    structures = [str(jax.tree.structure(tree)) for tree in trees]
    chaos.same_arrays = structures[0] == structures[1] and all(
        np.array_equal(one, other, equal_nan=True) for one, other in zip(*leaves, strict=True)
    )
    logs = [(d / "metrics.jsonl").read_bytes() for d in (tormented, alone)]
    chaos.same_log = logs[0] == logs[1]
    chaos.lost = _lost(read_metrics(tormented / "metrics.jsonl"), examples)


def _lost(lines: list[dict], examples: int) -> int:
    """Counts the examples that stand in an epoch not once."""
    stream = [i for line in lines if line["kind"] == "train" for i in line["ids"]]
    epochs = [stream[e : e + examples] for e in range(0, len(stream) - examples + 1, examples)]
    return sum(sum(Counter(epoch)[i] != 1 for i in range(examples)) for epoch in epochs)


def _readable(checkpoints: Checkpoints, step: int) -> bool:
    try:
        checkpoints.read_arrays(step)
    except Exception:
        return False
    return True


def _progress(workdir: Path) -> int:
    lines = read_metrics(workdir / "metrics.jsonl")
    return lines[-1]["step"] if lines else 0


def _phase(workdir: Path, before: int) -> str:
    """Returns what a run is doing, as far as its directory tells."""
    if list(workdir.glob("checkpoints/*orbax-checkpoint-tmp*")):
        return "save"
    return "steps, evaluation" if _progress(workdir) > before else "start, compile"


def _members(pid: int) -> list[int]:
    """Returns the processes of a run: the children of a launcher, or the process itself."""
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True
    ).stdout
    return [int(word) for word in found.split()] or [pid]


def _end(pid: int) -> None:
    for member in _members(pid):
        if member != pid:
            os.kill(member, signal.SIGKILL)
