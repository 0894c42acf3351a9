"""The run plan: the only numbers derived from a config, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnn_jax.config.arguments import argument_of
from cnn_jax.config.keys import Config
from cnn_jax.config.problems import InputError
from cnn_jax.config.values import INT32


@dataclass(frozen=True)
class RunPlan:
    """Steps and sizes of one run.

    Attributes:
        train_examples: N, examples in the train split.
        batch_size: B, examples in one step over all processes and devices.
        total_steps: ceil(epochs x N / B).
        warmup_steps: steps of linear warm-up.
        steps_per_epoch: N / B, a fraction.
        evaluate_every: steps between evaluations on validation.
        checkpoint_every: steps between checkpoints.
        pictures_every: steps between pictures of the network; 0: none.
    """

    train_examples: int
    batch_size: int
    total_steps: int
    warmup_steps: int
    steps_per_epoch: float
    evaluate_every: int
    checkpoint_every: int
    pictures_every: int = 0

    def steps(self, epochs: float) -> int:
        """Returns the steps that make so many passes over train, rounded up."""
        return _steps(epochs, self.train_examples, self.batch_size)

    def judged_after(self, epochs: float) -> int:
        """Returns the first step after so many epochs at which validation is evaluated."""
        every = self.evaluate_every
        return min(self.total_steps, -(-self.steps(epochs) // every) * every)

    def epoch(self, step: int) -> float:
        """Returns the passes over train made after `step` steps."""
        return step * self.batch_size / self.train_examples


def make_plan(config: Config, train_examples: int) -> RunPlan:
    """Returns the plan of a validated config over `train_examples` examples.

    Raises:
        InputError: there is nothing to train on, there are more steps than a run counts, or none in
            which the optimizer moves anything.
    """
    if train_examples < 1:
        raise InputError("the train split is empty: nothing to train on")
    batch = config.train.batch_size

    def steps(epochs: float) -> int:
        return max(1, _steps(epochs, train_examples, batch))

    if steps(config.train.epochs) > INT32:
        raise InputError(
            f"config.train.epochs = {config.train.epochs}: {steps(config.train.epochs)} steps of "
            f"{batch} of {train_examples} examples, and int32 counts at most {INT32}, as in "
            f"--config.train.epochs={INT32 * batch // train_examples}"
        )
    _check_it_trains(config, steps(config.train.epochs))
    warmup, pictures = config.schedule.warmup_epochs, config.log.pictures_every_epochs
    return RunPlan(
        train_examples=train_examples,
        batch_size=batch,
        total_steps=steps(config.train.epochs),
        warmup_steps=steps(warmup) if warmup > 0 else 0,
        steps_per_epoch=train_examples / batch,
        evaluate_every=steps(evaluation_epochs(config)),
        checkpoint_every=steps(config.checkpoint.every_epochs),
        pictures_every=steps(pictures) if pictures > 0 else 0,
    )


def _check_it_trains(config: Config, steps: int) -> None:
    if config.optim.name != "diagonal_levenberg_marquardt":
        return
    batches = argument_of(config, "optim", "batches")
    if batches > steps:
        raise InputError(
            f"config.optim.kwargs.batches = {batches}: the parameters stay where they are until "
            f"second derivatives are measured over so many batches, and the run has {steps}, as in "
            f"--config.optim.kwargs.batches={max(1, steps // 20)}"
        )


def _steps(epochs: float, examples: int, batch: int) -> int:
    # 1e-9: an epoch count like 0.1 * 3 must not round up to one step more.
    return math.ceil(epochs * examples / batch - 1e-9)


def evaluation_epochs(config: Config) -> float:
    """Returns the epochs between evaluations on validation.

    A schedule that follows the validation error says itself how often it is measured.
    """
    if config.schedule.name == "plateau":
        return float(argument_of(config, "schedule", "every_epochs"))
    return config.evaluation.every_epochs
