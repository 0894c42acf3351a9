"""Kill a run at chosen and random moments, and hold what it ends with against one left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.chaos_kinds import EXAMPLES, Kind
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import read_metrics

FINISHED, BAD_INPUT, PREEMPTED = 0, 2, 75
# What may differ between two runs: the clock, and the command, which names the directory.
CLOCK: Final = ("seconds", "first_step_seconds", "images_per_second", "command")
SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_END = 40.0  # for processes whose launcher was killed: the longest grace and a little
COUNTED: Final = ("signals", "writes", "phases", "codes")  # of `Chaos`
LONGEST_END = 600.0  # seconds, for a start that is to come to the end of the run
# At the end of a run, in the order in which they are written.
LAST: Final = ("card.md", "ablation.json", "table.md", "search.json", "result.json")


@dataclass
class Chaos:
    """What was done to a run, and what it ended with.

    Attributes:
        kind: of what was tormented.
        kills: how often it was ended.
        seconds: that it took.
        signals: how often each signal was sent.
        writes: how often it ended in the writing of each file, and how.
        phases: in which phase of the run a signal came, as its output and files tell.
        codes: exit codes of the interrupted starts.
        different: what it ended with and the run left alone did not.
        lost: examples that some epoch of the log lacks or repeats.
        unreadable: checkpoints that cannot be read at the end.
        outlived: processes that were still there long after their launcher was killed.
        longest_wait: seconds from a signal to the end of all that was started.
    """

    kind: str = ""
    kills: int = 0
    seconds: float = 0.0
    signals: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)
    lost: int = 0
    unreadable: int = 0
    outlived: int = 0
    longest_wait: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the run is the run that was left alone."""
        return not (self.different or self.lost or self.unreadable or self.outlived)

    def describe(self) -> str:
        """Returns all of it in lines."""
        verdict = "the same run" if self.passed else "NOT the same run"
        facts = {name.replace("_", " "): text for name, text in self.facts().items()}
        lines = [f"  {name}: {text}" for name, text in facts.items()]
        return "\n".join([f"{self.kind}: {verdict} after {self.kills} kills", *lines])

    def facts(self) -> dict[str, str]:
        """Returns the rows of the table."""
        tree = vars(self)
        words = {name: _counts(tree[name]) for name in COUNTED}
        numbers = {name: str(tree[name]) for name in ("lost", "unreadable", "outlived")}
        different = ", ".join(self.different) or "nothing"
        seconds = {"seconds": f"{self.seconds:.0f}", "longest wait": f"{self.longest_wait:.1f} s"}
        return seconds | words | {"different": different} | numbers

    def __add__(self, other: Chaos) -> Chaos:
        """Returns what two rounds of one kind have shown."""
        both = {name: value + getattr(other, name) for name, value in vars(self).items()}
        wait = max(self.longest_wait, other.longest_wait)
        return Chaos(**both | {"kind": self.kind, "longest_wait": wait})


def torment(
    kind: Kind, workdir: Path, steps: int, kills: int, longest: float, rng: random.Random
) -> Chaos:
    """Starts a run again and again and ends it each time, and at last lets it finish.

    Args:
        kind: of the run.
        workdir: of the run.
        steps: length of the run.
        kills: how many while it runs; some more follow in its last second.
        longest: seconds after the start within which it is ended.
        rng: decides when, how and to whom.

    Raises:
        RuntimeError: the run failed on its own.
    """
    chaos = Chaos()
    # Under nohup the signal is ignored, and what is started here would inherit that.
    signal.signal(signal.SIGHUP, lambda *_: None)
    for _ in range(kills):
        at = None if rng.random() < 0.5 else (_moment(rng), rng.choice(kind.written))
        code = _start(kind, workdir, steps, at, rng.uniform(0.5, longest), chaos, rng)
        if code == FINISHED or (kind.trains and (workdir / "result.json").exists()):
            raise RuntimeError(f"it was finished after {chaos.kills} kills: make it longer")
    for name in (name for name in LAST if name in kind.written):
        for moment in ("full", "before", "after"):
            _start(kind, workdir, steps, (moment, name), LONGEST_END, chaos, rng)
    done = subprocess.run(kind.command(workdir, steps), capture_output=True, text=True)
    if done.returncode != FINISHED:
        raise RuntimeError(f"the last start ended with {done.returncode}: {done.stderr[-2000:]}")
    return chaos


def _moment(rng: random.Random) -> str:
    return rng.choice(("before", "after", "full"))


def _start(
    kind: Kind,
    workdir: Path,
    steps: int,
    at: tuple[str, str] | None,
    seconds: float,
    chaos: Chaos,
    rng: random.Random,
) -> int:
    """Starts the run, lets it end in a write or ends it by a signal, and returns its code."""
    process = subprocess.Popen(
        kind.command(workdir, steps, at),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    before, members = _progress(workdir), [process.pid]
    told: list[str] = []
    try:
        out, _ = process.communicate(timeout=seconds)
        if at is not None:
            told = [f"{at[1]} {at[0]}"]
    except subprocess.TimeoutExpired:
        number = signal.SIGKILL if at is not None else rng.choice(SIGNALS)
        chaos.phases[_phase(workdir, before)] += 1
        members = _members(process.pid)
        victim = rng.choice(members)
        os.kill(victim, number)
        who = " to the launcher" if len(members) > 1 and victim == process.pid else ""
        chaos.signals[number.name + who] += 1
        sent = time.monotonic()
        out, _ = process.communicate(timeout=120)
        chaos.outlived += _outlived([m for m in members if m != process.pid])
        chaos.longest_wait = max(chaos.longest_wait, time.monotonic() - sent)
    code, text = process.returncode, out.decode(errors="replace")
    if code == FINISHED:
        return code
    full = at is not None and at[0] == "full" and "cannot be written" in text
    if code == BAD_INPUT and not full:
        raise RuntimeError(text[-2000:])
    chaos.kills += 1
    chaos.writes.update(told)
    chaos.codes[str(code)] += 1
    return code


def compare(chaos: Chaos, kind: Kind, tormented: Path, alone: Path) -> None:
    """Fills in what the tormented run ended with.

    Args:
        chaos: is changed.
        kind: of the run.
        tormented: run directory.
        alone: run directory of the same config, never interrupted.
    """
    for name in kind.results:
        one, other = (without_clock(directory / name) for directory in (tormented, alone))
        if one != other:
            chaos.different.append(name)
    if not kind.trains:
        return
    trees = []
    for workdir in (tormented, alone):
        checkpoints = Checkpoints(workdir, read_only=True)
        step = checkpoints.latest
        assert step is not None
        trees.append(checkpoints.read_arrays(step)[0])
        kept = sorted(int(p.name) for p in checkpoints.directory.glob("[0-9]*"))
        if workdir == tormented:
            chaos.unreadable = sum(not _readable(checkpoints, s) for s in kept)
        checkpoints.close()
    leaves = [jax.tree.leaves(tree) for tree in trees]
    structures = [str(jax.tree.structure(tree)) for tree in trees]
    same = structures[0] == structures[1] and all(
        np.array_equal(one, other, equal_nan=True) for one, other in zip(*leaves, strict=True)
    )
    chaos.different += [] if same else ["the arrays of the last checkpoint"]
    chaos.lost = _lost(read_metrics(tormented / "metrics.jsonl"), EXAMPLES)


def without_clock(path: Path) -> bytes:
    """Returns the content of a file; of one JSON object without what the clock decides."""
    if path.suffix != ".json":
        return path.read_bytes()
    tree = files.read_json(path)
    kept = {name: value for name, value in tree.items() if name not in CLOCK}
    return json.dumps(kept, sort_keys=True).encode()


def table(runs: Sequence[Path]) -> str:
    """Returns the table of several rounds in markdown, a column for each kind.

    Args:
        runs: directories, each with the `chaos.json` of one; those of one kind are added up.

    Raises:
        InputError: one has none.
    """
    kinds: dict[str, Chaos] = {}
    for run in runs:
        tree = files.read_json(run / "chaos.json")
        if tree is None:
            raise InputError(f"{run} holds no chaos.json: python -m experiments.chaos writes it")
        tree |= {name: Counter(tree[name]) for name in COUNTED}
        chaos = Chaos(**tree)
        kinds[chaos.kind] = kinds[chaos.kind] + chaos if chaos.kind in kinds else chaos
    columns = {kind: {"kills": str(chaos.kills)} | chaos.facts() for kind, chaos in kinds.items()}
    rows = [["", *columns], ["---", *["---"] * len(columns)]]
    names = list(dict.fromkeys(name for facts in columns.values() for name in facts))
    rows += [[name, *(facts[name] for facts in columns.values())] for name in names]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _counts(counted: Mapping[str, int]) -> str:
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name}: {number}" for name, number in ordered) or "none"


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
    """Returns the processes of a run: the launcher and its children, or the process itself."""
    children = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True
    ).stdout
    return [pid, *(int(word) for word in children.split())]


def _outlived(members: Sequence[int]) -> int:
    """Returns how many of some processes do not end by themselves, and ends those."""
    until = time.monotonic() + SECONDS_TO_END
    left = [member for member in members if _is_there(member)]
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = [member for member in left if _is_there(member)]
    for member in left:
        os.kill(member, signal.SIGKILL)
    return len(left)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def report(chaos: Chaos, path: Path, say: Callable[[str], Any] = print) -> None:
    """Writes `chaos.json` and prints what it says."""
    files.write_json(path, vars(chaos))
    say(chaos.describe())
