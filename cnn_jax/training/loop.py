"""A run of its own in training: the engine with its log, its checkpoints and its screen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit
from cnn_jax.devices import distributed
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.evaluation.exact import Evaluation, evaluate
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import make_eval_step
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import MetricsLog
from cnn_jax.training.engine import Engine
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.layer_statistics import LayerStatistics
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.progress import ProgressReport
from cnn_jax.training.run import Run
from cnn_jax.training.run_pictures import RunPictures
from cnn_jax.training.what_broke import what_broke


class Training(Engine):
    """One run in progress.

    Args:
        run: its parts.
        state: where it stands.
        checkpoints: of the run directory.
        log: of the run directory.
        progress: the screen.
        preemption: the signals.
        skipped: the steps that are left out.
        on_first_step: called once, when the first step of this process is made.
        until: steps, an evaluation at their end, after which it pauses; None: it does not.
    """

    def __init__(
        self,
        run: Run,
        state: TrainState,
        checkpoints: Checkpoints,
        log: MetricsLog,
        progress: ProgressReport,
        preemption: Preemption,
        skipped: frozenset[int],
        on_first_step: Callable[[], None] = lambda: None,
        until: int | None = None,
    ):
        super().__init__(run, state, int(state.step))
        self._skipped, self._until = skipped, run.plan.total_steps if until is None else until
        self.checkpoints, self.log, self.progress = checkpoints, log, progress
        self.preemption = preemption
        self._on_first_step = on_first_step
        self._feed = make_feed(run, state)
        self._statistics_every = run.config.log.signal_statistics_every_steps
        self._statistics = LayerStatistics(run) if self._statistics_every else None
        self._pictures = RunPictures(run, checkpoints.directory.parent)
        self._eval_step = run.devices.compile_eval_step(
            make_eval_step(run.recipe.model, run.preprocessing, run.recipe.view.axis_name)
        )
        self._validation_error: float | None = None
        self._last_validation = log.last("validation")

    @property
    def images_per_second(self) -> float:
        """Images trained a second, without the first dispatch; 0 while it is not known."""
        return self.pace.steps_per_second * self.run.plan.batch_size

    def fit(self) -> None:
        """Makes all steps of the plan.

        Raises:
            PreemptionRequested: a signal came; a checkpoint is saved.
            DivergedError: the guard stopped the run.
            InputError: an image cannot be read; a checkpoint is saved.
        """
        try:
            super().fit()
        except (PreemptionRequested, InputError) as error:
            if isinstance(error, InputError) and self.run.devices.processes > 1:
                raise  # the others know nothing of it: a save would wait for them
            self.log.flush()
            self._save()
            self.checkpoints.wait()
            raise
        self.checkpoints.wait()
        self.preemption.saved_step = self.checkpoints.latest
        self._draw_if_due()

    @property
    def going(self) -> Sequence[int]:
        """The only member, unless the plateau schedule has ended the run, or it pauses."""
        return () if self.ended_by_plateau or self.paused else (0,)

    @property
    def ended_by_plateau(self) -> bool:
        """Whether the plateau schedule has ended the run."""
        rule = self.run.plateau
        return rule is not None and bool(rule.over(self.state.plateau))

    @property
    def paused(self) -> bool:
        """Whether it stands where it was asked to pause, and is evaluated there."""
        if self.step < self._until or self.step >= self.run.plan.total_steps:
            return False
        return self.step > self._until or self.has_evaluation(0)

    def advance(self, first: int, steps: int) -> HostMetrics:
        """Makes steps by the feed."""
        with nullcontext() if self.pace.compiled else self.progress.waiting("compiling the step"):
            self.state, metrics = self._feed(self.state, first, steps)
        return {name: values[None] for name, values in metrics.items()}

    def evaluation(self, params: Any, batch_stats: Any, split: AnySplit) -> list[Evaluation]:
        """Returns the errors on a split, counted over all processes."""
        devices, size = self.run.devices, self.run.config.evaluation.batch_size
        begun = itertools.count(0, size)
        with self.progress.waiting("evaluating") as waiting:

            def poll() -> None:
                self.agree(1)
                waiting.done(next(begun), len(split))

            return [
                evaluate(
                    lambda batch: self._eval_step(params, batch_stats, batch),
                    split,
                    size // devices.processes,
                    poll,
                    devices.process,
                    devices.processes,
                )
            ]

    def agree(self, steps: int) -> int:
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

    def log_step(self, member: int, step: int, values: dict[str, Any]) -> None:
        """Writes a line."""
        self.log.write("train", step, self.run.plan.epoch(step), values)

    def log_evaluation(self, member: int, errors: dict[str, Any]) -> None:
        """Writes a line."""
        self._last_validation = errors
        self.log.write("validation", self.step, self.run.plan.epoch(self.step), errors)

    def has_evaluation(self, member: int) -> bool:
        """Whether the log holds it."""
        return self.log.has_evaluation(self.step)

    def stop(self, member: int, step: int, values: dict[str, float]) -> None:
        """Ends the run.

        Raises:
            DivergedError: always.
        """
        raise DivergedError(
            step,
            values["loss"],
            values["data_loss"],
            values["learning_rate"],
            self.checkpoints.latest,
        )

    def look_back(self, stopped: int) -> str:
        """Returns which layer and examples a failed step broke at; gives up the state.

        Args:
            stopped: the step.
        """
        like = self.run.drawn_state()
        restored = self.checkpoints.restore(like)
        if restored is None:
            return ""
        self.state = restored.state.replace(hyper=like.hyper)
        begin = int(self.state.step)
        with self.progress.waiting(f"looking for what broke, again from step {begin} on"):
            return what_broke(self.run, self.state, self._past_skipped, stopped)

    def plateaus(self) -> list[Any]:
        """Returns the state of the only member."""
        return [self.state.plateau]

    def follow(self, plateaus: list[Any]) -> None:
        """Places a plateau state on all devices."""
        self.state = self.state.replace(plateau=self.run.devices.place(plateaus[0]))

    def errors(self, split: str) -> list[dict[str, Any]]:
        """Returns the errors on a split; one on validation is kept for the checkpoint."""
        (tree,) = super().errors(split)
        if split == "validation":
            self._validation_error = tree["top1_error"]
        return [tree]

    def before_steps(self) -> None:
        """Draws the network and measures its layers, where that is asked for."""
        self._draw_if_due()
        every = self._statistics_every
        if self._statistics is None or self.step % every or self.log.has_signals(self.step):
            return
        with self.progress.waiting("measuring the layers"):
            layers = self._statistics.measure(self.state, self.step)
        self.log.write_signals(self.step, self.run.plan.epoch(self.step), layers)

    def _draw_if_due(self) -> None:
        if not self._pictures.due(self.step, self.over):
            return
        with self.progress.waiting("drawing what the network sees"):
            drawn = self._pictures.draw(self.state, self.step)
        self.log.write_pictures(self.step, drawn)

    def save_if_due(self) -> None:
        """Saves a regular checkpoint, and that of the best evaluation so far."""
        regular = self.step % self.run.plan.checkpoint_every == 0
        if regular or self.over or self._best_so_far():
            self._save()
        self._validation_error = None

    @property
    def stops_every(self) -> Sequence[int]:
        """Between evaluations, checkpoints, measurements and pictures."""
        plan = self.run.plan
        measured = (self._statistics_every, plan.pictures_every)
        return (plan.evaluate_every, plan.checkpoint_every, *measured)

    def _best_so_far(self) -> bool:
        error, best = self._validation_error, self.checkpoints.best_error
        return error is not None and (best is None or error < best)

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
        if (skipped := self._next_skipped(self.step)) == self.step:
            self.state = self._one_step_on(self.state)
            self.step += 1
            return
        compiled = self.pace.compiled
        super()._make_steps(steps if skipped is None else min(steps, skipped - self.step))
        if not compiled:
            self._on_first_step()

    def _next_skipped(self, step: int) -> int | None:
        return min((skipped for skipped in self._skipped if skipped >= step), default=None)

    def _one_step_on(self, state: TrainState) -> TrainState:
        """Returns the state after a step that is left out: the clock alone has moved."""
        return state.replace(step=self.run.devices.place(np.asarray(state.step) + 1))

    def _past_skipped(
        self, state: TrainState, first: int, steps: int
    ) -> tuple[TrainState, HostMetrics | None]:
        """Makes steps as training has made them."""
        metrics, end = None, first + steps
        while first < end:
            skipped = self._next_skipped(first)
            if skipped == first:
                state, first = self._one_step_on(state), first + 1
                continue
            here = min(end, skipped or end) - first
            state, metrics = self._feed(state, first, here)
            first += here
        return state, metrics

    def _log_steps(self, member: int, first: int, metrics: HostMetrics) -> None:
        super()._log_steps(member, first, metrics)
        left, speed = self.run.plan.total_steps - self.step, self.pace.steps_per_second
        self.progress.update(
            self.step,
            self.run.plan.epoch(self.step),
            float(metrics["loss"][-1]),
            float(metrics["error"][-1]),
            self.images_per_second,
            left / speed if speed else math.nan,
            None if self._last_validation is None else self._last_validation["top1_error"],
        )
