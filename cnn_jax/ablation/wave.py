"""A wave: the members that one device trains together, from the first step to the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.groups import Group
from cnn_jax.ablation.programs import Poll, Program
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.data.order import Order
from cnn_jax.training.preemption import PreemptionRequested
from cnn_jax.training.run import Run

SECONDS_PER_DISPATCH = 1.0  # no longer are signals and the screen kept waiting
SECONDS_BETWEEN_SAVES = 30.0
SHARE_OF_SAVES = 0.05  # of the time, at most, where the state is large
CURVE = (
    *("step", "epoch", "train_loss", "train_error"),
    *("validation_step", "validation_error", "validation_loss"),
)
SPLITS = ("train", "validation", "test")
TRAINING, DONE, DIVERGED = "training", "done", "diverged"
Record = dict[str, Any]


class Wave:
    """Members in training, all at the same step.

    Args:
        members: of one group.
        group: which.
        run: of it, on the device.
        program: compiled for so many.
        files: where the wave is saved.
        on_steps: called with the number of steps over all members, and whether they were made now.
    """

    def __init__(
        self,
        members: Sequence[Member],
        group: Group,
        run: Run,
        program: Program,
        files: WaveFiles,
        on_steps: Callable[[int, bool], None],
    ):
        self.members, self.run, self.program, self.files = members, run, program, files
        self.on_steps = on_steps
        if (saved := files.restore(group.drawn_state(members[0]))) is not None:
            tree, self.step, self.records = saved
            states = [program.member(tree, i) for i in range(len(members))]
            on_steps(self.step * len(members), False)
        else:
            self.step, self.records = 0, [_fresh_record() for _ in members]
            states = [group.first_state(member) for member in members]
        self.state = program.gather(states)
        self._timed, self._seconds_per_step = False, 0.0  # the first call may compile
        self._next_save = time.monotonic() + SECONDS_BETWEEN_SAVES

    def train(self, poll: Poll) -> list[Record]:
        """Makes all steps and returns the record of every member: state, curve, final errors.

        Args:
            poll: called between steps; raises `PreemptionRequested` to end, and the wave is saved.
        """
        try:
            while True:
                self._evaluate_if_due(poll)
                if self.step >= self.run.plan.total_steps or not self._alive().any():
                    break
                poll()
                self._save_if_due()
                self._make_steps(self._steps_until_next_stop())
            return self._finished(poll)
        except PreemptionRequested:
            self._save()
            raise

    def _alive(self) -> np.ndarray:
        return np.array([record["state"] == TRAINING for record in self.records])

    def _make_steps(self, steps: int) -> None:
        began, alive, first = time.monotonic(), self._alive(), self.step
        self.state, metrics = self.program.advance(self.state, alive, self._ids(first, steps))
        if self._timed:
            self._seconds_per_step = (time.monotonic() - began) / steps
        self._timed = True
        self.step = first + steps
        for index in np.flatnonzero(alive):
            self._note(int(index), first, {name: kept[index] for name, kept in metrics.items()})
        self.on_steps(steps * len(self.members), True)

    def _ids(self, first: int, steps: int) -> np.ndarray:
        """Returns the examples of each member, (members, steps, B): as `experiments.train` does."""
        plan, by_seed = self.run.plan, {}
        for member in self.members:
            seed = member.config.seed.data
            if seed not in by_seed:
                order = Order(seed, plan.train_examples, plan.batch_size)
                by_seed[seed] = order.batches(first, steps)
        return np.stack([by_seed[member.config.seed.data] for member in self.members])

    def _note(self, index: int, first: int, metrics: dict[str, np.ndarray]) -> None:
        record, every = self.records[index], self.run.config.log.every_steps
        for i in range(len(metrics["loss"])):
            step, stopped = first + i + 1, bool(metrics["stopped"][i])
            if step % every == 0 or step == 1 or stopped:
                curve = record["curve"]
                curve["step"].append(step)
                curve["epoch"].append(round(self.run.plan.epoch(step), 6))
                curve["train_loss"].append(float(metrics["data_loss"][i]))
                curve["train_error"].append(float(metrics["error"][i]))
            if stopped:
                record.update(state=DIVERGED, stopped_step=first + i)
                break

    def _steps_until_next_stop(self) -> int:
        plan = self.run.plan
        every = plan.evaluate_every
        steps = min((self.step // every + 1) * every, plan.total_steps) - self.step
        if self._seconds_per_step:
            steps = min(steps, max(1, int(SECONDS_PER_DISPATCH / self._seconds_per_step)))
        elif self._timed:
            steps = min(steps, 4)
        else:
            steps = 1
        return min(steps, self.run.config.train.chunk_steps)

    def _evaluate_if_due(self, poll: Poll) -> None:
        plan = self.run.plan
        regular = self.step > 0 and self.step % plan.evaluate_every == 0
        due = regular or self.step == plan.total_steps
        if not due or not len(self.run.dataset.validation):
            return
        alive = [int(i) for i in np.flatnonzero(self._alive())]
        if any(self.step in self.records[i]["curve"]["validation_step"] for i in alive):
            return
        found = self._errors("validation", poll)
        for i in alive:
            curve = self.records[i]["curve"]
            curve["validation_step"].append(self.step)
            curve["validation_error"].append(found[i]["error"])
            curve["validation_loss"].append(found[i]["loss"])
        if self.run.plateau is not None and regular:
            self._follow_plateau(alive, [one["error"] for one in found])

    def _follow_plateau(self, alive: list[int], errors: list[float]) -> None:
        rule = self.run.plateau
        assert rule is not None
        parts = [self.program.member(self.state.plateau, i) for i in range(len(self.members))]
        for i in alive:
            parts[i] = rule.after(parts[i], self.step, errors[i])
            if rule.over(parts[i]):
                self.records[i].update(state=DONE, stopped_step=self.step)
        self.state = self.state.replace(plateau=self.program.join(parts))

    def _errors(self, split: str, poll: Poll, averaged: bool = False) -> list[dict[str, Any]]:
        params, batch_stats = self.state.params, self.state.batch_stats
        if averaged:
            kept = self.state.averaged_params
            params, batch_stats = kept["params"], kept["batch_stats"]
        found = self.program.evaluate(params, batch_stats, self.run.dataset.split(split), poll)
        return [{"error": one.top1_error, "loss": one.loss, "n": one.n} for one in found]

    def _finished(self, poll: Poll) -> list[Record]:
        """Returns the records with the final errors of those that did not diverge."""
        splits = [name for name in SPLITS if len(getattr(self.run.dataset, name))]
        found = {name: self._errors(name, poll) for name in splits}
        if self.state.averaged_params:
            found["averaged_test"] = self._errors("test", poll, averaged=True)
        records = []
        for i, record in enumerate(self.records):
            final: dict[str, Any] = {}
            if record["state"] != DIVERGED:
                for name, errors in found.items():
                    final |= {f"{name}_{key}": errors[i][key] for key in ("error", "loss")}
                final["n"] = found["test"][i]["n"]
            state = DIVERGED if record["state"] == DIVERGED else DONE
            records.append(record | {"state": state, "final": final})
        return records

    def _save_if_due(self) -> None:
        if time.monotonic() >= self._next_save:
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        self.files.save(self.state, self.step, self.records)
        now = time.monotonic()
        self._next_save = now + max(SECONDS_BETWEEN_SAVES, (now - began) / SHARE_OF_SAVES)


def _fresh_record() -> Record:
    return {"state": TRAINING, "stopped_step": None, "curve": {name: [] for name in CURVE}}
