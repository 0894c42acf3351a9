"""The training loop. At every stop the order is: evaluate if due, save if due, make steps, log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.devices import distributed
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.evaluation.exact import Evaluation, evaluate
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import make_eval_step
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import MetricsLog
from cnn_jax.training import guard
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.layer_statistics import Signals
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.progress import ProgressReport
from cnn_jax.training.run import Run

SECONDS_PER_DISPATCH = (
    1.0  # a chunk is kept so short that signals and the screen are not kept waiting
)
LOGGED = ("loss", "data_loss", "error", "learning_rate", "gradient_norm")


class Training:
    """One run in progress.

    Args:
        run: its parts.
        state: where it stands.
        checkpoints: of the run directory.
        log: of the run directory.
        progress: the screen.
        preemption: the signals.
        on_first_step: called once, when the first step of this process is made.
    """

    def __init__(
        self,
        run: Run,
        state: TrainState,
        checkpoints: Checkpoints,
        log: MetricsLog,
        progress: ProgressReport,
        preemption: Preemption,
        on_first_step: Callable[[], None] = lambda: None,
    ):
        self.run, self.state = run, state
        self.step = int(state.step)
        self.checkpoints, self.log, self.progress = checkpoints, log, progress
        self.preemption = preemption
        self.images_per_second = 0.0
        self._on_first_step = on_first_step
        self._advance = make_feed(run, state)
        every = run.config.log.signal_statistics_every_steps
        self._signals = Signals(run) if every else None
        self._eval_step = run.devices.compile_eval_step(
            make_eval_step(run.recipe.model, run.preprocessing, run.recipe.view.axis_name)
        )
        self._validation_error: float | None = None
        self._timed_steps, self._timed_seconds = 0, 0.0

    def fit(self) -> None:
        """Makes all steps of the plan.

        Raises:
            PreemptionRequested: a signal came; a checkpoint is saved.
            DivergedError: the guard stopped the run.
            InputError: an image cannot be read; a checkpoint is saved.
        """
        try:
            while True:
                self._evaluate_if_due()
                self._save_if_due()
                if self.over:
                    break
                self._measure_if_due()
                self._make_steps(self._agree(self._steps_until_next_stop()))
        except (PreemptionRequested, InputError) as error:
            if isinstance(error, InputError) and self.run.devices.processes > 1:
                raise  # the others know nothing of it: a save would wait for them
            self.log.flush()
            self._save()
            self.checkpoints.wait()
            raise
        self.checkpoints.wait()
        self.preemption.saved_step = self.checkpoints.latest

    @property
    def over(self) -> bool:
        """Whether all steps are made, or the plateau schedule has ended the run."""
        rule = self.run.plateau
        ended = rule is not None and rule.over(self.state.plateau)
        return ended or self.step >= self.run.plan.total_steps

    def evaluate(self, split: str, averaged: bool = False) -> Evaluation:
        """Returns the errors of the present parameters, or of their running average, on a split."""
        devices = self.run.devices
        params, batch_stats = self.state.params, self.state.batch_stats
        if averaged:
            params, batch_stats = (self.state.averaged_params[k] for k in ("params", "batch_stats"))
        return evaluate(
            lambda batch: self._eval_step(params, batch_stats, batch),
            self.run.dataset.split(split),
            self.run.config.evaluation.batch_size // devices.processes,
            self._agree,
            devices.process,
            devices.processes,
        )

    def errors(self, split: str) -> dict[str, Any]:
        """Returns the errors on a split as the log holds them; `averaged_...` beside them."""
        tree = self.evaluate(split).to_tree()
        if self.state.averaged_params:
            beside = self.evaluate(split, averaged=True).to_tree()
            errors = ("loss", "top1_error", "top5_error")
            tree |= {f"averaged_{name}": beside[name] for name in errors}
        return tree

    def _agree(self, steps: int = 1) -> int:
        """Returns how many steps all processes make next: what process 0 says.

        Raises:
            PreemptionRequested: a signal has come to any of them; it is raised on all.
        """
        if self.run.devices.processes == 1:
            self.preemption.poll()
            return steps
        said = distributed.gather([int(self.preemption.requested), steps])
        if said[:, 0].any():
            self.preemption.answer()
        return int(said[0, 1])

    def _evaluate_if_due(self) -> None:
        plan = self.run.plan
        regular = self.step % plan.evaluate_every == 0
        due = self.step > 0 and (regular or self.step == plan.total_steps)
        if not due or not len(self.run.dataset.validation):
            return
        logged, rule = self.log.has_evaluation(self.step), self.run.plateau
        # A kill between the log and the checkpoint leaves an evaluation that was not counted.
        to_count = rule is not None and regular and int(self.state.plateau["counted"]) < self.step
        if logged and not to_count:
            return
        found = self.errors("validation")
        self._validation_error = found["top1_error"]
        if rule is not None and to_count:
            plateau = rule.after(self.state.plateau, self.step, found["top1_error"])
            self.state = self.state.replace(plateau=self.run.devices.place(plateau))
        if not logged:
            self.log.write("validation", self.step, plan.epoch(self.step), found)

    def _measure_if_due(self) -> None:
        every = self.run.config.log.signal_statistics_every_steps
        if self._signals is None or self.step % every or self.log.has_signals(self.step):
            return
        found = self._signals.measure(self.state, self.step)
        self.log.write_signals(self.step, self.run.plan.epoch(self.step), found)

    def _save_if_due(self) -> None:
        plan = self.run.plan
        if self.step % plan.checkpoint_every == 0 or self.over:
            self._save()
        self._validation_error = None

    def _save(self) -> None:
        latest, error = self.checkpoints.latest, self._validation_error
        there = latest is not None and latest >= self.step
        # A signal in an evaluation leaves its step saved without the error, which best needs.
        if there and not self.checkpoints.makes_way(self.step, error):
            return
        self.log.flush()
        self.checkpoints.save(self.step, self.state, self.run.checkpoint_record(), error)
        if self.preemption.saved_step is None or there:
            # The first one is waited for: from here on a signal always finds a checkpoint.
            self.checkpoints.wait()
        self.preemption.saved_step = self.step

    def _make_steps(self, steps: int) -> None:
        began, first = time.monotonic(), self.step
        self.state, metrics = self._advance(self.state, first, steps)
        seconds, made = time.monotonic() - began, len(metrics["loss"])
        if self._timed_steps == 0 and self._timed_seconds == 0.0:
            self._on_first_step()
            self._timed_seconds = 1e-9  # the first dispatch compiles: it is not timed
        else:
            self._timed_steps += made
            self._timed_seconds += seconds
            batch = self.run.plan.batch_size
            self.images_per_second = self._timed_steps * batch / self._timed_seconds
        self.step = first + made
        self._log_steps(first, metrics)
        guard.check(first, metrics, self.checkpoints.latest)
        self.progress.update(
            self.step,
            self.run.plan.epoch(self.step),
            float(metrics["loss"][-1]),
            float(metrics["error"][-1]),
            self.images_per_second,
            self._seconds_left(),
        )

    def _seconds_left(self) -> float:
        steps = self.run.plan.total_steps - self.step
        return steps * self._timed_seconds / self._timed_steps if self._timed_steps else math.nan

    def _steps_until_next_stop(self) -> int:
        """One step first, which compiles; then as many as no evaluation or save stands between."""
        if self._timed_seconds == 0.0:
            return 1
        plan, measured = self.run.plan, self.run.config.log.signal_statistics_every_steps
        stops = [
            (self.step // every + 1) * every
            for every in (plan.evaluate_every, plan.checkpoint_every, measured)
            if every
        ]
        steps = min(*stops, plan.total_steps) - self.step
        if self._timed_steps:
            seconds_per_step = self._timed_seconds / self._timed_steps
            steps = min(steps, max(1, int(SECONDS_PER_DISPATCH / seconds_per_step)))
        else:
            steps = min(steps, 4)
        return min(steps, self.run.config.train.chunk_steps)

    def _log_steps(self, first: int, metrics: HostMetrics) -> None:
        every = self.run.config.log.every_steps
        for i in range(len(metrics["loss"])):
            step = first + i + 1
            if step % every == 0 or step == 1 or metrics["stopped"][i]:
                values: dict[str, Any] = {name: float(metrics[name][i]) for name in LOGGED}
                if self.run.config.log.example_ids:
                    values["ids"] = metrics["ids"][i].tolist()
                self.log.write("train", step, self.run.plan.epoch(step), values)
