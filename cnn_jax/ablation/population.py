"""Trains the members of a population: grouped by program, wave by wave, on one device or several.

Whatever ends it, the same call goes on: finished waves are read, a wave in progress is taken up at
its snapshot, and the results are those of an uninterrupted call, bit for bit on CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.groups import Group, abstract_params, groups_of
from cnn_jax.ablation.own_runs import train_runs
from cnn_jax.ablation.pauses import NONE, Pauses, paused_at
from cnn_jax.ablation.population_progress import PopulationProgress
from cnn_jax.ablation.population_record import PopulationRecord, claim
from cnn_jax.ablation.schedule import Schedule, Slot
from cnn_jax.ablation.shares import WHOLE, Share
from cnn_jax.ablation.strategies import RUNS, STRATEGIES, resolve
from cnn_jax.ablation.wave import in_present_words
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.ablation.workers import Job, Worker, largest_wave, work
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.devices.distributed import alone, lead, text_from_lead
from cnn_jax.files import with_nan
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.progress import Waiting


@dataclass
class MemberResult:
    """What became of a member.

    Attributes:
        member: which one.
        state: `done`; `diverged`: the guard stopped it; or `paused`, as it was asked to.
        stopped_step: the step, from 0, at which it was stopped, or paused, or by a plateau schedule
            ended; None where it made all of them.
        curve: `step`, `epoch`, `train_data_loss`, `train_error` of the logged steps (the
            mean data loss and the fraction wrong of their batches), and `validation_step`,
            `validation_error`, `validation_loss`.
        final: `train_error`, `train_loss`, `validation_error`, `validation_loss`, `test_error`,
            `test_loss` over whole splits in evaluation mode, and `n`, the number of test examples;
            `averaged_test_...` where parameters are averaged; empty for a diverged member; without
            those of train where members are runs of their own; those of validation, as the curve
            has them last, where it has paused.
    """

    member: Member
    state: str
    stopped_step: int | None
    curve: dict[str, list[float]]
    final: dict[str, float | int]


def train_members(
    members: Sequence[Member],
    directory: Path,
    *,
    strategy: str = "auto",
    preemption: Preemption | None = None,
    say: Callable[[str], None] = print,
    memory_bytes: int | None = None,
    share: Share = WHOLE,
    pauses: Pauses = NONE,
) -> list[MemberResult]:
    """Trains members, or goes on where an earlier call was ended.

    Args:
        members: with different indices.
        directory: everything is written below it; it belongs to these members from then on.
        strategy: a key of `STRATEGIES`, `runs`, or `auto`; what it came to is recorded, and kept.
        preemption: the signals, already listened to.
        say: prints a line.
        memory_bytes: of one device, for the members of a wave; None: what the device says it has.
        share: of the members, that this call trains; a part of them is trained by `runs`.
        pauses: where members pause, to be evaluated; a later call goes on with them.

    Returns:
        One result a member, in their order; those of other shares where they are finished.

    Raises:
        InputError: a member cannot be trained as such, or the directory holds other members.
        PreemptionRequested: a signal came; everything is saved.
    """
    with Waiting("preparing the members"):
        groups = groups_of(members)
        devices = jax.devices()[: members[0].config.parallel.devices]
        why = next((group.alone for group in groups if group.alone is not None), None)
        if not share.whole:
            why = why or "--share: other calls train the other members, and share no programs"
        resolved = resolve(strategy, devices[0].platform, abstract_params(groups[0]), why)
        with share.alone_in(directory):
            record = _claimed(directory, members, strategy, resolved)
    until = _steps_until(pauses, groups)
    if record.strategy == RUNS:
        with ExitStack() as listening:
            if preemption is None:
                preemption = listening.enter_context(Preemption())
            said = f"{len(members)} members, {len(groups)} programs, {RUNS}, one after another"
            if not share.whole:
                said += f", of which share {share.number} of {share.count} trains every n-th"
            say(said if why is None else f"{said}: {why}")
            records = train_runs(groups, members, directory, preemption, say, share, until)
        pairs = zip(members, records, strict=True)
        return [_result(member, record, until) for member, record in pairs if record is not None]
    with Waiting("preparing the programs"):
        chosen = STRATEGIES[record.strategy]
        if preemption is not None:
            # From here on a signal finds everything that is finished on the disk.
            preemption.saved_step = preemption.saved_step or 0
        workers = [
            Worker(d, groups, chosen.layout) for d in devices[: None if chosen.all_devices else 1]
        ]
        if not record.at_once:
            record.at_once = [
                largest_wave(workers[0], number, len(workers), memory_bytes)
                for number in range(len(groups))
            ]
            record.write()
    jobs = _jobs(groups, record.at_once, directory, until, pauses.final)
    left = {slot: job for slot, job in jobs.items() if job.left}
    done = sum(len(job.members) for slot, job in jobs.items() if slot not in left)
    say(
        f"{len(members)} members, {len(groups)} programs, {record.strategy} on {len(workers)} x "
        f"{devices[0].device_kind}, {len(jobs)} waves" + (f"; {done} members done" if done else "")
    )
    steps = sum(
        job.steps(groups[slot.group].run.plan.total_steps) * len(job.members)
        for slot, job in left.items()
    )
    bar = members[0].config.log.progress_bar
    progress = PopulationProgress(len(members), done, steps, say, bar)
    try:
        poll = preemption.poll if preemption is not None else _never
        work(workers, Schedule(list(left)), left, progress, poll)
    finally:
        progress.close()
    return _results(members, jobs, until)


def _steps_until(pauses: Pauses, groups: Sequence[Group]) -> dict[int, int]:
    """Returns the steps after which members pause, by their index; those at their end are none."""
    until = {}
    for group in groups:
        for member in group.members:
            if (epochs := pauses.epochs.get(member.index)) is not None:
                plan = group.plan_of(member)
                if (step := plan.judged_after(epochs)) < plan.total_steps:
                    until[member.index] = step
    return until


def _claimed(
    directory: Path, members: Sequence[Member], asked: str, resolved: str
) -> PopulationRecord:
    """Returns the record of a directory, which process 0 alone reads and writes.

    Raises:
        InputError: as `claim`; or it was begun by a strategy that several processes cannot follow.
    """
    if alone():
        return claim(directory, members, asked, resolved)
    record = claim(directory, members, asked, resolved) if lead() else None
    strategy = text_from_lead(record.strategy if record else "")
    if strategy != RUNS:
        raise InputError(
            f"{directory} was begun with --strategy={strategy}, whose members train in one "
            "process; go on without config.distributed, or choose another --workdir"
        )
    return PopulationRecord(directory, [], strategy)


def _jobs(
    groups: list[Group],
    at_once: list[int],
    directory: Path,
    until: Mapping[int, int],
    final: bool,
) -> dict[Slot, Job]:
    jobs = {}
    for number, (group, most) in enumerate(zip(groups, at_once, strict=True)):
        for wave in range(math.ceil(len(group.members) / most)):
            slot = Slot(number, wave)
            part = group.members[wave * most : (wave + 1) * most]
            hashes = [config_hash(to_tree(member.config)) for member in part]
            total = group.run.plan.total_steps
            steps = tuple(until.get(member.index, total) for member in part) if until else ()
            jobs[slot] = Job(part, WaveFiles(directory, slot.name, hashes), steps, final)
    return jobs


def _results(
    members: Sequence[Member], jobs: dict[Slot, Job], until: Mapping[int, int]
) -> list[MemberResult]:
    results = {}
    for job in jobs.values():
        for member, record in zip(job.members, job.records(), strict=True):
            results[member.index] = _result(member, record, until)
    return [results[member.index] for member in members]


def _result(member: Member, record: dict[str, Any], until: Mapping[int, int]) -> MemberResult:
    record = in_present_words(record)
    step = until.get(member.index)
    if step is None and "final" not in record:  # it is at its end, others of its wave have paused
        step = max(record["curve"]["validation_step"], default=0)
    if step is not None:
        record = paused_at(record, step)
    return MemberResult(member, **_with_nan(record))


def _with_nan(record: dict[str, Any]) -> dict[str, Any]:
    """Returns a record as it was: JSON has no NaN, and null in its place."""
    return record | {name: with_nan(record[name]) for name in ("curve", "final")}


def _never() -> None:
    pass
