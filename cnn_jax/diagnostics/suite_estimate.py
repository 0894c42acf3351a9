"""Minutes of each row of a suite on this machine, by timing a few steps of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.programs import Program
from cnn_jax.ablation.workers import side_by_side
from cnn_jax.config.aligned import aligned
from cnn_jax.config.arguments import argument_of
from cnn_jax.data.order import Order
from cnn_jax.diagnostics.suite_plan import Cost, PlannedRow
from cnn_jax.diagnostics.suite_training import ALONE, Bench, RowInTraining
from cnn_jax.training.progress import LastWord
from cnn_jax.training.run import Run

SECONDS_OF_TIMING = 1.0


@dataclass(frozen=True)
class RowEstimate:
    """What a row would take.

    Attributes:
        recipe: of the row.
        seeds: of it.
        steps: of a seed.
        preparing: seconds of reading the data and of compiling.
        step: seconds.
    """

    recipe: str
    seeds: int
    steps: int
    preparing: float
    step: float

    @property
    def seconds(self) -> float:
        """Of all seeds, one after the other on one device."""
        return self.preparing + self.seeds * self.steps * self.step


def estimates(
    plans: Sequence[PlannedRow],
    costs: Sequence[Cost],
    poll: Callable[[], object],
    say: Callable[[str], object],
) -> list[RowEstimate]:
    """Returns what every row would take, timed on all devices at the same time.

    Args:
        plans: the rows.
        costs: of a seed of each.
        poll: raises `PreemptionRequested` to end.
        say: prints a line.
    """
    left = sorted(range(len(plans)), key=lambda number: costs[number].guess, reverse=True)
    found: dict[int, RowEstimate] = {}
    devices = jax.devices()[: len(plans)]

    def serve(device: int, ask: Callable[[], object]) -> None:
        while True:
            ask()
            try:
                number = left.pop()  # of a list, this is safe in threads
            except IndexError:
                return
            found[number] = _timed(plans[number], devices[device], ask)
            say(f"row {len(found)} of {len(plans)} timed: {plans[number].row.recipe}")
            LastWord.said()

    side_by_side(serve, len(devices), poll)
    return [found[number] for number in range(len(plans))]


def table(rows: Sequence[RowEstimate], devices: int) -> str:
    """Returns the estimates in lines, and the total.

    Args:
        rows: of the suite.
        devices: that train at the same time.
    """
    cells = [("row", "seeds", "steps a seed", "ms a step", "minutes a seed", "minutes")]
    for row in rows:
        a_seed = row.steps * row.step / 60
        numbers = (f"{row.seeds}", f"{row.steps:,}", f"{1e3 * row.step:.2f}", f"{a_seed:.1f}")
        cells.append((row.recipe, *numbers, f"{row.seconds / 60:.1f}"))
    total = sum(row.seconds for row in rows) / 60
    told = f"{total:.0f} minutes on one device"
    if devices > 1:
        longest = max(row.seeds * row.steps * row.step / row.seeds for row in rows) / 60
        told += f", {max(total / devices, longest):.0f} on {devices} at the same time"
    return "\n".join([*aligned(cells, right={1, 2, 3, 4, 5}), f"in all {told}, without evaluation"])


def _timed(plan: PlannedRow, device: jax.Device, poll: Callable[[], object]) -> RowEstimate:
    began, row = time.monotonic(), RowInTraining(plan, {0})
    worker = Bench(device).worker(row)
    group = row.group()
    member, run = group.members[0], worker.run_of(ALONE.group)
    poll()
    program = worker.program(ALONE.group, [member])
    steps = _Steps(program, run, member, group.first_state(member))
    steps.make(1 + _unlike_the_others(run))
    preparing = time.monotonic() - began
    count, seconds = 1, 0.0
    while seconds < SECONDS_OF_TIMING / 4 and count < SECONDS_OF_TIMING * 1e5:
        poll()
        count *= 2
        moment = time.monotonic()
        steps.make(count)
        seconds = time.monotonic() - moment
    return RowEstimate(
        plan.row.recipe, plan.row.seeds, run.plan.total_steps, preparing, seconds / count
    )


def _unlike_the_others(run: Run) -> int:
    """Steps at the beginning of a run that take longer than what follows."""
    if run.config.optim.name != "diagonal_levenberg_marquardt":
        return 0
    return int(argument_of(run.config, "optim", "batches"))


class _Steps:
    """Makes steps of a seed from its first on, over and over."""

    def __init__(self, program: Program, run: Run, member: Member, state: Any):
        self._program, self._state = program, program.gather([state])
        self._order = Order(member.config.seed.data, run.plan.train_examples, run.plan.batch_size)
        self._longest = min(run.config.train.chunk_steps, run.plan.total_steps)

    def make(self, count: int) -> None:
        """Makes so many steps, as training would: in chunks of no more than `train.chunk_steps`."""
        while count > 0:
            steps = min(count, self._longest)
            ids = self._order.batches(0, steps)[None]
            self._state, metrics = self._program.advance(self._state, np.ones(1, bool), ids)
            np.asarray(metrics["loss"])
            count -= steps
