"""The devices at work: each takes a wave, trains it to its end, and takes the next.

Threads serve them: a thread only hands programs to its device and waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import jax

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.groups import Group
from cnn_jax.ablation.programs import (
    ManyMembers,
    OneMember,
    Poll,
    Program,
    Resident,
    resident_train,
)
from cnn_jax.ablation.schedule import Schedule, Slot
from cnn_jax.ablation.wave import Wave
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.devices.parallel_members import Layout
from cnn_jax.training.preemption import PreemptionRequested
from cnn_jax.training.run import Run

SHARE_OF_MEMORY = 0.5  # the rest is for data, and for what else runs


class Progress(Protocol):
    """Is told how far waves are: `PopulationProgress`, or one that counts otherwise."""

    def began(self, wave: str) -> None:
        """Is told that a wave begins."""

    def made(self, steps: int, now: bool) -> None:
        """Is told of steps over all members, and whether they were made now."""

    def finished(self, states: list[str], unmade_steps: int) -> None:
        """Is told that a wave is finished."""


@dataclass(frozen=True)
class Job:
    """A wave that is to be trained.

    Attributes:
        members: of it.
        files: where it is kept.
        until: of each member, steps after which it pauses; empty: none does.
        final: whether those that pause never go on.
    """

    members: list[Member]
    files: WaveFiles
    until: tuple[int, ...] = ()
    final: bool = True

    @property
    def left(self) -> bool:
        """Whether there is something to train."""
        if self.files.finished() is not None:
            return False
        paused = None if self.final else self.files.paused_before()
        return paused is None or paused[0] < max(self.until, default=0)

    def records(self) -> list[dict[str, Any]]:
        """Returns what became of its members, or has so far, where some have paused."""
        finished = self.files.finished()
        return (self.files.paused_before() or (0, []))[1] if finished is None else finished

    def steps(self, total: int) -> int:
        """Returns how many steps it makes, of the `total` of its plan."""
        return max(self.until, default=total)


class Worker:
    """A device with the programs that were compiled for it.

    Args:
        device: to train on.
        groups: of the population.
        layout: of the members of a wave; None: a wave is one member.
    """

    def __init__(self, device: jax.Device, groups: list[Group], layout: Layout | None):
        self.device, self.groups, self.layout = device, groups, layout
        self._runs: dict[int, Run] = {}
        self._programs: dict[tuple[int, int], Program] = {}
        self._resident: dict[int, Resident] = {}

    def run_of(self, group: int) -> Run:
        """Returns the run of a group on this device."""
        if group not in self._runs:
            self._runs[group] = self.groups[group].on(self.device)
        return self._runs[group]

    def program(self, group: int, members: list[Member]) -> Program:
        """Returns the program of a group for so many members, compiled at most once."""
        key = group, len(members)
        if key not in self._programs:
            run = self.run_of(group)
            data, like = self._data(run), self.groups[group].drawn_state(members[0])
            if self.layout is None:
                self._programs[key] = OneMember(run, run.devices.place(like), data)
            else:
                states = [like] * len(members)
                self._programs[key] = ManyMembers(run, states, self.layout, data)
        return self._programs[key]

    def _data(self, run: Run) -> Resident:
        """Returns the train split on the device: groups on the same data share one copy of it."""
        key = id(run.dataset)
        if key not in self._resident:
            self._resident[key] = resident_train(run)
        return self._resident[key]

    def train(self, slot: Slot, job: Job, progress: Progress, poll: Poll) -> None:
        """Trains a wave and writes its results."""
        group, run = self.groups[slot.group], self.run_of(slot.group)
        progress.began(f"group {slot.group + 1}/{len(self.groups)} wave {slot.number + 1}")
        program = self.program(slot.group, job.members)
        wave = Wave(job.members, group, run, program, job.files, progress.made, poll, job.until)
        if (records := wave.train(job.final)) is not None:
            job.files.finish(records)
        unmade = max(0, job.steps(run.plan.total_steps) - wave.step) * len(job.members)
        progress.finished([record["state"] for record in records or wave.records], unmade)


def work(
    workers: list[Worker],
    schedule: Schedule,
    jobs: Mapping[Slot, Job],
    progress: Progress,
    poll: Poll,
) -> None:
    """Trains all waves.

    Raises:
        PreemptionRequested: a signal came; every wave in progress is saved.
        Exception: what went wrong on one device; the waves of the others are saved.
    """

    def serve(number: int, ask: Poll) -> None:
        while (slot := schedule.next(number)) is not None:
            ask()
            workers[number].train(slot, jobs[slot], progress, ask)

    side_by_side(serve, len(workers), poll)


def side_by_side(serve: Callable[[int, Poll], None], count: int, poll: Poll) -> None:
    """Lets several devices be served at the same time; what ends one ends all.

    Args:
        serve: is given the number of a device and what it has to call between steps.
        count: of the devices.
        poll: raises `PreemptionRequested` to end.

    Raises:
        PreemptionRequested: a signal came.
        Exception: what went wrong on one device.
    """
    ended = Event()

    def ask() -> None:
        if ended.is_set():
            raise PreemptionRequested
        poll()

    def served(number: int) -> None:
        try:
            serve(number, ask)
        except BaseException:
            ended.set()
            raise

    if count == 1:
        served(0)
        return
    with ThreadPoolExecutor(count, thread_name_prefix="device") as pool:
        all_served = [pool.submit(served, number) for number in range(count)]
    errors = [error for one in all_served if (error := one.exception()) is not None]
    for error in sorted(errors, key=lambda e: isinstance(e, PreemptionRequested)):
        raise error


def largest_wave(worker: Worker, group: int, devices: int, memory_bytes: int | None) -> int:
    """Returns how many members go into a wave: all of a group, over the devices, if they fit.

    Args:
        worker: of one device; the others are alike.
        group: number of the group.
        devices: how many there are.
        memory_bytes: of a device, for the members; None: half of what it has.
    """
    if worker.layout is None:
        return 1
    members = worker.groups[group].members
    limit = memory_bytes or int(SHARE_OF_MEMORY * _memory(worker.device))
    most = -(-len(members) // devices)
    while most > 1:
        program = worker.program(group, members[:most])
        assert isinstance(program, ManyMembers)
        if (program.chunk.peak_bytes or 0) <= limit:
            break
        most = -(-most // 2)
    return most


def _memory(device: jax.Device) -> int:
    """Returns the bytes of a device; of simulated ones, their share of the machine's."""
    known = device.memory_stats() or {}
    if "bytes_limit" in known:
        return int(known["bytes_limit"])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // jax.device_count()
