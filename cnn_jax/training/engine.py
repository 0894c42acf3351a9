"""The engine of training: when a run, or many members at once, step, log, evaluate and save.

At every stop the order is: evaluate if due, save if due, make steps, log. A run of its own is one
member; a wave of a population has many, all at the same step.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from cnn_jax.data.dataset import AnySplit
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.evaluation.exact import Evaluation
from cnn_jax.step.state import TrainState
from cnn_jax.training.run import Run

SECONDS_PER_DISPATCH = 1.0  # no longer are signals and the screen kept waiting
STEPS_OF_FIRST_TIMING = 4
LOGGED = ("loss", "data_loss", "error", "learning_rate", "gradient_norm")
ERRORS = ("loss", "top1_error", "top5_error")


class Pace:
    """How many steps go into one dispatch: as many as make about a second.

    The first dispatch compiles. It is one step, and is not timed.
    """

    def __init__(self) -> None:
        self.compiled = False
        self._steps, self._seconds = 0, 0.0

    def made(self, steps: int, seconds: float) -> None:
        """Notes a dispatch."""
        if self.compiled:
            self._steps += steps
            self._seconds += seconds
        self.compiled = True

    @property
    def most_steps(self) -> int:
        """The most steps of the next dispatch."""
        if not self.compiled:
            return 1
        if not self._steps:
            return STEPS_OF_FIRST_TIMING
        return max(1, int(SECONDS_PER_DISPATCH * self.steps_per_second))

    @property
    def steps_per_second(self) -> float:
        """Steps a second so far; 0 while nothing was timed."""
        return self._steps / self._seconds if self._steps else 0.0


class Engine(ABC):
    """Members in training, all at the same step.

    Args:
        run: the parts that they share.
        state: of all of them.
        step: steps made.
    """

    def __init__(self, run: Run, state: TrainState, step: int):
        self.run, self.state, self.step = run, state, step
        self.pace = Pace()

    # What trains the members, and where they are recorded.

    @property
    @abstractmethod
    def going(self) -> Sequence[int]:
        """The members that make further steps."""

    @abstractmethod
    def advance(self, first: int, steps: int) -> HostMetrics:
        """Makes steps from `first` on, and returns their metrics, (members, steps made)."""

    @abstractmethod
    def evaluation(self, params: Any, batch_stats: Any, split: AnySplit) -> list[Evaluation]:
        """Returns the errors of every member on a split."""

    @abstractmethod
    def agree(self, steps: int) -> int:
        """Returns how many steps come next; raises `PreemptionRequested` after a signal."""

    @abstractmethod
    def log_step(self, member: int, step: int, values: dict[str, Any]) -> None:
        """Logs a step: `LOGGED`, and `ids` where they are kept."""

    @abstractmethod
    def log_evaluation(self, member: int, errors: dict[str, Any]) -> None:
        """Logs the evaluation on validation at this step."""

    @abstractmethod
    def has_evaluation(self, member: int) -> bool:
        """Whether the evaluation on validation at this step is logged."""

    @abstractmethod
    def stop(self, member: int, step: int, values: dict[str, float]) -> None:
        """Ends a member that the guard stopped at `step`, counted from 0."""

    @abstractmethod
    def plateaus(self) -> list[Any]:
        """Returns the plateau state of every member."""

    @abstractmethod
    def follow(self, plateaus: list[Any]) -> None:
        """Puts plateau states in place of the present ones."""

    @abstractmethod
    def save_if_due(self) -> None:
        """Saves everything at a step at which that is wanted."""

    def before_steps(self) -> None:  # noqa: B027 - most have nothing to do there
        """Is called at every stop at which further steps follow."""

    @property
    def stops_every(self) -> Sequence[int]:
        """Steps between which the engine must stop, for each reason to do so."""
        return (self.run.plan.evaluate_every,)

    # The order of things.

    def fit(self) -> None:
        """Makes all steps of the plan."""
        while True:
            self._evaluate_if_due()
            self.save_if_due()
            if self.over:
                return
            self.before_steps()
            self._make_steps(self.agree(self._steps_until_next_stop()))

    @property
    def over(self) -> bool:
        """Whether all steps are made, or nobody makes further ones."""
        return self.step >= self.run.plan.total_steps or not self.going

    def errors(self, split: str) -> list[dict[str, Any]]:
        """Returns the errors of every member on a split as the log holds them.

        Those of averaged parameters, where they are kept, stand beside them: `averaged_...`.
        """
        examples, averaged = self.run.dataset.split(split), self.state.averaged_params
        own = self.evaluation(self.state.params, self.state.batch_stats, examples)
        trees = [one.to_tree() for one in own]
        if averaged:
            beside = self.evaluation(averaged["params"], averaged["batch_stats"], examples)
            for tree, one in zip(trees, beside, strict=True):
                values = one.to_tree()
                tree |= {f"averaged_{name}": values[name] for name in ERRORS}
        return trees

    def _evaluate_if_due(self) -> None:
        plan, rule = self.run.plan, self.run.plateau
        regular = self.step > 0 and self.step % plan.evaluate_every == 0
        due = regular or self.step == plan.total_steps
        if not due or not len(self.run.dataset.validation):
            return
        going = list(self.going)
        to_log = [member for member in going if not self.has_evaluation(member)]
        plateaus = self.plateaus() if rule is not None and regular else []
        # A kill between the log and the checkpoint leaves an evaluation that was not counted.
        to_count = [i for i in going if plateaus and int(plateaus[i]["counted"]) < self.step]
        if not to_log and not to_count:
            return
        errors = self.errors("validation")
        if rule is not None and to_count:
            for i in to_count:
                plateaus[i] = rule.after(plateaus[i], self.step, errors[i]["top1_error"])
            self.follow(plateaus)
        for member in to_log:
            self.log_evaluation(member, errors[member])

    def _make_steps(self, steps: int) -> None:
        began, first, going = time.monotonic(), self.step, list(self.going)
        metrics = self.advance(first, steps)
        made = metrics["loss"].shape[1]
        self.pace.made(made, time.monotonic() - began)
        self.step = first + made
        for member in going:
            self._log_steps(member, first, {name: kept[member] for name, kept in metrics.items()})

    def _log_steps(self, member: int, first: int, metrics: HostMetrics) -> None:
        every, with_ids = self.run.config.log.every_steps, self.run.config.log.example_ids
        for i in range(len(metrics["loss"])):
            step, stopped = first + i + 1, bool(metrics["stopped"][i])
            if step % every and step != 1 and not stopped:
                continue
            values = {name: float(metrics[name][i]) for name in LOGGED}
            ids = {"ids": metrics["ids"][i].tolist()} if with_ids and "ids" in metrics else {}
            self.log_step(member, step, values | ids)
            if stopped:  # what follows in this dispatch means nothing
                self.stop(member, first + i, values)
                break

    def _steps_until_next_stop(self) -> int:
        """As many as no evaluation or save stands between, and as the pace allows."""
        stops = [(self.step // every + 1) * every for every in self.stops_every if every]
        steps = min(*stops, self.run.plan.total_steps) - self.step
        return min(steps, self.pace.most_steps, self.run.config.train.chunk_steps)
