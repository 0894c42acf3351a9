"""Room on the disk: checkpoints that no resume and no report needs, and runs that were given up.

Kept are the last checkpoint, from which a run goes on, and the best on validation, all of them
where several are equally good. A run that is being trained is left alone: its lock is taken first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.files import read_json
from cnn_jax.storage.checkpoint_digest import Digests
from cnn_jax.storage.run_directory import RunDirectory
from cnn_jax.storage.run_summary import DAMAGED, INTERRUPTED, RUN, RUNNING, RunSummary

# What a run writes into its directory; whatever else lies there is somebody's.
WRITTEN = {
    *("config.json", "result.json", "metrics.jsonl", "signals.jsonl", "parameters.txt", "card.md"),
    *("warm_start.json", "data_dependent_init.txt", "reproduction.md", "reproduction.json"),
    *("checkpoints", "checkpoint_digests", "damaged_checkpoints", "tensorboard"),
}
WRITTEN_AS = ("curves", "signals", "unreadable_images", ".")  # how other names of it begin
METRIC = "top1_error"


@dataclass(frozen=True)
class Deletion:
    """What can be deleted of one run.

    Attributes:
        run: its directory.
        steps: of the checkpoints; empty: the whole run.
        kept: the checkpoints that stay.
        bytes: that this frees.
        left: why the run is left alone; else empty.
    """

    run: Path
    steps: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    bytes: int = 0
    left: str = ""

    def describe(self) -> str:
        """Returns a line that says what would be deleted."""
        if self.left:
            return f"{self.run}: left alone: {self.left}"
        if not self.steps:
            return f"{self.run}: the whole run, which was interrupted, {self.bytes / 1e6:,.1f} MB"
        steps, kept = (", ".join(map(str, found)) for found in (self.steps, self.kept))
        return f"{self.run}: checkpoints {steps}, {self.bytes / 1e6:,.1f} MB; kept: {kept}"


def prunable(runs: Sequence[RunSummary], unfinished: bool = False) -> list[Deletion]:
    """Returns what can be deleted of some runs; of ablations and searches nothing is.

    Args:
        runs: as `runs_below` finds them.
        unfinished: whether runs that were interrupted go as a whole.
    """
    plan = []
    for run in runs:
        if run.kind != RUN:
            continue
        if run.state in (RUNNING, DAMAGED):
            why = run.problem if run.state == DAMAGED else "somebody trains in it"
            plan.append(Deletion(run.path, left=why))
        elif unfinished and run.state == INTERRUPTED:
            others = _of_others(run.path)
            left = f"it holds {', '.join(others[:3])}, which no run writes" if others else ""
            plan.append(Deletion(run.path, bytes=0 if left else run.bytes, left=left))
        elif (found := _checkpoints(run.path)) is not None:
            plan.append(found)
    return plan


def prune(plan: Iterable[Deletion], say: Callable[[str], object]) -> int:
    """Deletes what a plan says, and returns how many bytes that freed.

    Args:
        plan: of `prunable`.
        say: takes a line about a run that is left alone after all.
    """
    freed = 0
    for deletion in plan:
        if deletion.left:
            continue
        try:
            with closing(RunDirectory(deletion.run)):
                freed += _delete(deletion)
        except InputError as error:
            say(f"{deletion.run}: left alone: {error}")
    return freed


def _delete(deletion: Deletion) -> int:
    run, checkpoints = deletion.run, deletion.run / "checkpoints"
    digests = Digests(checkpoints, run / "checkpoint_digests")
    try:
        if not deletion.steps:
            shutil.rmtree(run)
            return deletion.bytes
        for step in deletion.kept:
            if harm := digests.damage(step):
                raise InputError(f"checkpoint {step}, which would stay, is damaged: {harm}")
        for left in run.glob(".pruned-*"):  # by a call that was killed
            shutil.rmtree(left)
        for step in deletion.steps:
            # Whatever bears a step's name is whole: it loses the name before its files.
            gone = run / f".pruned-{step}"
            (checkpoints / str(step)).rename(gone)
            digests.forget(step)
            shutil.rmtree(gone)
    except OSError as error:
        raise files.cannot_write(run, error) from error
    return deletion.bytes


def _checkpoints(run: Path) -> Deletion | None:
    """Returns which checkpoints of a run can go; None where all are needed."""
    directory = run / "checkpoints"
    if not directory.is_dir():
        return None
    steps = sorted(int(p.name) for p in directory.iterdir() if p.name.isdigit() and p.is_dir())
    errors = {step: error for step in steps if (error := _error(directory / str(step))) is not None}
    best = {step for step, error in errors.items() if error == min(errors.values())}
    kept = best | set(steps[-1:])
    going = tuple(step for step in steps if step not in kept)
    size = sum(_size(directory / str(step)) for step in going)
    return Deletion(run, going, tuple(sorted(kept)), size) if going else None


def _error(checkpoint: Path) -> float | None:
    """Returns the error on validation that stands in a checkpoint, where there is one."""
    try:
        found = read_json(checkpoint / "metrics" / "metrics")
    except InputError:
        return None
    error = found.get(METRIC) if isinstance(found, dict) else None
    return float(error) if isinstance(error, int | float) else None


def _of_others(run: Path) -> list[str]:
    """Returns what lies in the directory of a run and is no file of it."""
    names = sorted(path.name for path in run.iterdir())
    return [name for name in names if name not in WRITTEN and not name.startswith(WRITTEN_AS)]


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
