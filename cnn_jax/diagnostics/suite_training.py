"""Trains the seeds of all rows of a suite, cheapest row first, on every device at the same time.

A device trains one seed at a time by the program of `experiments.train`, to the same numbers; it
goes on with the row that it has compiled, then takes the next that nobody has, and at the end helps
with what is left. Members of one program side by side (`vmap`) do not pay here: see
docs/reproducing.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax

from cnn_jax.ablation.groups import Group, groups_of
from cnn_jax.ablation.schedule import Schedule, Slot
from cnn_jax.ablation.workers import Job, Worker, side_by_side
from cnn_jax.diagnostics.suite_members import SeedFiles, claim_row, read_seed
from cnn_jax.diagnostics.suite_plan import Cost, PlannedRow, folder_of
from cnn_jax.diagnostics.suite_progress import SuiteProgress
from cnn_jax.diagnostics.suite_streamed import train_seed
from cnn_jax.training.preemption import Preemption

ALONE = Slot(0, 0)  # a row is the only group of its worker


@dataclass
class RowInTraining:
    """A row while its seeds are trained: what they share is made once, and kept until they are.

    Attributes:
        plan: the row.
        left: seeds that are not finished.
    """

    plan: PlannedRow
    left: set[int]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _group: Group | None = None

    def group(self) -> Group:
        """Returns program, data and seeds; made when the first device asks."""
        with self._lock:
            if self._group is None:
                (self._group,) = groups_of(self.plan.members())
            return self._group

    def done(self, seed: int) -> bool:
        """Notes that a seed is finished; returns whether it was the last, and lets go of all."""
        with self._lock:
            self.left.discard(seed)
            if not self.left:
                self._group = None
            return not self.left


class Bench:
    """A device with the program of the row that it is at.

    Args:
        device: of it.
    """

    def __init__(self, device: jax.Device):
        self.device = device
        self._row: RowInTraining | None = None
        self._worker: Worker | None = None

    def worker(self, row: RowInTraining) -> Worker:
        """Returns the worker for a row; that of another row goes."""
        if self._worker is None or self._row is not row:
            self._worker = None
            self._row, self._worker = row, Worker(self.device, [row.group()], None)
        return self._worker


def train_rows(
    plans: Sequence[PlannedRow],
    costs: Sequence[Cost],
    workdir: Path,
    preemption: Preemption,
    on_row: Callable[[PlannedRow], None],
) -> None:
    """Trains what is not finished.

    Args:
        plans: the rows.
        costs: of a seed of each.
        workdir: of the suite, locked.
        preemption: the signals, already listened to.
        on_row: is called when the last seed of a row is finished; of several one at a time.

    Raises:
        InputError: a row cannot be trained.
        PreemptionRequested: a signal came; everything is saved.
    """
    order = sorted(range(len(plans)), key=lambda n: (not costs[n].resident, costs[n].guess))
    rows: dict[int, RowInTraining] = {}
    for number in order:
        plan = plans[number]
        claim_row(folder_of(workdir, plan), plan.config)
        files = {seed: _files(workdir, plan, seed) for seed in range(plan.row.seeds)}
        left = {seed for seed, one in files.items() if one.finished() is None}
        if left:
            rows[number] = RowInTraining(plan, left)
    if not rows:
        return
    # From here on a signal finds everything that is finished on the disk.
    preemption.saved_step = preemption.saved_step or 0
    streamed = [number for number in rows if not costs[number].resident]
    slots = [
        Slot(number, seed)
        for number, row in rows.items()
        if number not in streamed
        for seed in sorted(row.left)
    ]
    benches = [Bench(device) for device in jax.devices()[: len(slots)]]
    schedule = Schedule(slots, few=0)
    total = sum(plan.row.seeds for plan, cost in zip(plans, costs, strict=True) if cost.resident)
    places = {number: place for place, number in enumerate(order, start=1)}
    progress = SuiteProgress(total, total - len(slots), len(plans), len(benches))
    for slot in slots:
        progress.expect(slot, plans[slot.group].row.recipe, places[slot.group], costs[slot.group])
    one_row = threading.Lock()

    def serve(device: int, poll: Callable[[], object]) -> None:
        while (slot := schedule.next(device)) is not None:
            poll()
            row = rows[slot.group]
            files = _files(workdir, row.plan, slot.number)
            files.begin()
            with progress.waiting(f"preparing {row.plan.row.recipe}"):
                worker = benches[device].worker(row)
                member = row.group().members[slot.number]
                worker.program(ALONE.group, [member])
            worker.train(ALONE, Job([member], files), progress.of(slot), poll)
            folder, hashed = folder_of(workdir, row.plan), row.plan.hashed(slot.number)
            if (result := read_seed(folder, slot.number, hashed)) is not None:
                progress.of(slot).came_to(str(result))
            if row.done(slot.number):
                with one_row:
                    on_row(row.plan)

    try:
        if slots:
            side_by_side(serve, len(benches), preemption.poll)
    finally:
        progress.close()
    for number in streamed:
        row = rows[number]
        for seed in sorted(row.left):
            print(f"row {places[number]} of {len(plans)}, {row.plan.row.recipe}, seed {seed}")
            where = folder_of(workdir, row.plan)
            train_seed(row.plan, seed, where, _files(workdir, row.plan, seed), preemption)
        on_row(row.plan)


def _files(workdir: Path, plan: PlannedRow, seed: int) -> SeedFiles:
    return SeedFiles(folder_of(workdir, plan), seed, plan.hashed(seed))
