"""A wave: the members that one device trains together, from the first step to the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.groups import Group
from cnn_jax.ablation.programs import Poll, Program
from cnn_jax.ablation.states import DIVERGED, DONE, PAUSED, TRAINING
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.order import Order
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.evaluation.exact import Evaluation
from cnn_jax.training.engine import Engine
from cnn_jax.training.preemption import PreemptionRequested
from cnn_jax.training.run import Run

SECONDS_BETWEEN_SAVES = 30.0
SHARE_OF_SAVES = 0.05  # of the time, at most, where the state is large
TRAIN_CURVE = ("data_loss", "error")  # of the logged steps, as the engine names them
CURVE = (
    *("step", "epoch", *(f"train_{name}" for name in TRAIN_CURVE)),
    *("validation_step", "validation_error", "validation_loss"),
)
SPLITS = ("train", "validation", "test")
# An earlier version called the curve of the data loss otherwise.
EARLIER_NAMES = {"train_loss": "train_data_loss"}
Record = dict[str, Any]


class Wave(Engine):
    """Members in training, all at the same step.

    Args:
        members: of one group.
        group: which.
        run: of it, on the device.
        program: compiled for so many.
        files: where the wave is saved.
        on_steps: called with the number of steps over all members, and whether they were made now.
        poll: called between steps; raises `PreemptionRequested` to end, and the wave is saved.
        until: of each member, steps, an evaluation at their end, after which it pauses; empty: none
            does.
    """

    def __init__(
        self,
        members: Sequence[Member],
        group: Group,
        run: Run,
        program: Program,
        files: WaveFiles,
        on_steps: Callable[[int, bool], None],
        poll: Poll,
        until: Sequence[int] = (),
    ):
        self._until = until or [run.plan.total_steps] * len(members)
        self.members, self.program, self.files = members, program, files
        self.on_steps, self.poll = on_steps, poll
        if (saved := files.restore(group.drawn_state(members[0]))) is not None:
            tree, step, records = saved
            self.records = [in_present_words(record) for record in records]
            states = [program.member(tree, i) for i in range(len(members))]
            on_steps(step * len(members), False)
        else:
            step, self.records = 0, [_fresh_record() for _ in members]
            states = [group.first_state(member) for member in members]
        super().__init__(run, program.gather(states), step)
        self._next_save = time.monotonic() + SECONDS_BETWEEN_SAVES

    def train(self, final: bool = True) -> list[Record] | None:
        """Makes all steps and returns the record of every member: state, curve, final errors.

        Args:
            final: whether members that have paused never go on.

        Returns:
            None where some have paused and may go on: they are saved.
        """
        try:
            self.fit()
            if not final and any(map(self._paused, range(len(self.members)))):
                self._save()
                self.files.save_paused(self.step, self.records)
                return None
            return self._finished()
        except PreemptionRequested:
            self._save()
            raise

    @property
    def going(self) -> Sequence[int]:
        """The members that neither diverged, nor were ended by a plateau schedule, nor pause."""
        training = [i for i, record in enumerate(self.records) if record["state"] == TRAINING]
        return [i for i in training if not self._paused(i)]

    def _paused(self, member: int) -> bool:
        """Whether a member has come to where it pauses, and is evaluated there."""
        until, training = self._until[member], self.records[member]["state"] == TRAINING
        if not training or until >= self.run.plan.total_steps or self.step < until:
            return False
        return self.step > until or self.has_evaluation(member)

    def advance(self, first: int, steps: int) -> HostMetrics:
        """Makes steps by the program."""
        alive = np.isin(np.arange(len(self.members)), self.going)
        self.state, metrics = self.program.advance(self.state, alive, self._ids(first, steps))
        self.on_steps(steps * len(self.members), True)
        return metrics

    def evaluation(self, params: Any, batch_stats: Any, split: AnySplit) -> list[Evaluation]:
        """Returns the errors of every member on a split."""
        return self.program.evaluate(params, batch_stats, split, self.poll)

    def agree(self, steps: int) -> int:
        """Returns the steps; raises `PreemptionRequested` after a signal."""
        self.poll()
        return steps

    def log_step(self, member: int, step: int, values: dict[str, Any]) -> None:
        """Adds a point to the curve of a member."""
        curve = self.records[member]["curve"]
        curve["step"].append(step)
        curve["epoch"].append(round(self.run.plan.epoch(step), 6))
        for name in TRAIN_CURVE:
            curve[f"train_{name}"].append(values[name])

    def log_evaluation(self, member: int, errors: dict[str, Any]) -> None:
        """Adds a point to the validation curve of a member."""
        curve = self.records[member]["curve"]
        curve["validation_step"].append(self.step)
        curve["validation_error"].append(errors["top1_error"])
        curve["validation_loss"].append(errors["loss"])

    def has_evaluation(self, member: int) -> bool:
        """Whether the curve of a member has it."""
        return self.step in self.records[member]["curve"]["validation_step"]

    def stop(self, member: int, step: int, values: dict[str, float]) -> None:
        """Marks a member as diverged; the others go on."""
        self.records[member].update(state=DIVERGED, stopped_step=step)

    def plateaus(self) -> list[Any]:
        """Returns the plateau state of every member."""
        return [self.program.member(self.state.plateau, i) for i in range(len(self.members))]

    def follow(self, plateaus: list[Any]) -> None:
        """Puts plateau states in place; a member whose schedule is over is done."""
        rule = self.run.plateau
        assert rule is not None
        for i in self.going:
            if rule.over(plateaus[i]):
                self.records[i].update(state=DONE, stopped_step=self.step)
        self.state = self.state.replace(plateau=self.program.join(plateaus))

    def save_if_due(self) -> None:
        """Saves from time to time; what is over is written as results."""
        if not self.over and time.monotonic() >= self._next_save:
            self._save()

    def _ids(self, first: int, steps: int) -> np.ndarray:
        """Returns the examples of each member, (members, steps, B): as `experiments.train` does."""
        plan, by_seed = self.run.plan, {}
        for member in self.members:
            seed = member.config.seed.data
            if seed not in by_seed:
                order = Order(seed, plan.train_examples, plan.batch_size)
                by_seed[seed] = order.batches(first, steps)
        return np.stack([by_seed[member.config.seed.data] for member in self.members])

    def _finished(self) -> list[Record]:
        """Returns the records with the final errors of those that did not diverge."""
        splits = [name for name in SPLITS if len(getattr(self.run.dataset, name))]
        errors = {name: self.errors(name) for name in splits}
        records = []
        for i, record in enumerate(self.records):
            state = DONE if record["state"] == TRAINING else record["state"]
            if self._paused(i):
                state = PAUSED
            measured = state == DONE
            final = _final({name: errors[name][i] for name in splits}) if measured else {}
            records.append(record | {"state": state, "final": final})
        return records

    def _save(self) -> None:
        began = time.monotonic()
        self.files.save(self.state, self.step, self.records)
        now = time.monotonic()
        self._next_save = now + max(SECONDS_BETWEEN_SAVES, (now - began) / SHARE_OF_SAVES)


def in_present_words(record: Record) -> Record:
    """Returns a record, which an earlier version may have written, with the names of now."""
    curve = {EARLIER_NAMES.get(name, name): values for name, values in record["curve"].items()}
    return record | {"curve": curve}


def _final(errors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the final errors of a member: those of averaged parameters on the test split alone.

    Args:
        errors: by split, as the engine gives them.
    """
    final: dict[str, Any] = {}
    for split, tree in errors.items():
        final |= {f"{split}_error": tree["top1_error"], f"{split}_loss": tree["loss"]}
    test = errors["test"]
    if "averaged_loss" in test:
        final |= {"averaged_test_error": test["averaged_top1_error"]}
        final |= {"averaged_test_loss": test["averaged_loss"]}
    return final | {"n": test["n"]}


def _fresh_record() -> Record:
    return {"state": TRAINING, "stopped_step": None, "curve": {name: [] for name in CURVE}}
