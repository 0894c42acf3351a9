"""The trials of a search, stage by stage, and which of them is best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnn_jax.ablation.ranges import Ranges, Values
from cnn_jax.config.search import Stage


@dataclass(frozen=True)
class Trial:
    """One choice of values, and how far it came.

    Attributes:
        index: place in the stage, from 0.
        values: dotted key -> value.
        state: `done`, `diverged`, or `stopped`: others were better by then.
        validation_error: a fraction; None if it diverged.
        validation_loss: mean, nats; None if it diverged.
        train_error: a fraction; None if it diverged, or was not measured.
        fold_errors: `validation_error` of each fold, whose mean it is; empty of one fold.
        epochs: after which it was stopped; None if it was not.
    """

    index: int
    values: Values
    state: str
    validation_error: float | None = None
    validation_loss: float | None = None
    train_error: float | None = None
    fold_errors: tuple[float, ...] = ()
    epochs: float | None = None


@dataclass(frozen=True)
class Round:
    """A stage that was run.

    Attributes:
        stage: trials, epochs.
        ranges: where its values were drawn from.
        trials: in the order in which they were drawn.
        test_of_best: `test_error`, a fraction, and `n` of the best trial, of the last stage; None
            for all others.
    """

    stage: Stage
    ranges: Ranges
    trials: list[Trial]
    test_of_best: dict[str, Any] | None = None

    def ranked(self) -> list[Trial]:
        """Returns the trials that came to the end, the best on validation first."""
        return best_first([trial for trial in self.trials if trial.state == "done"])

    def in_order(self) -> list[Trial]:
        """Returns those, then the stopped ones, of which those that came furthest are first."""
        stopped = best_first([trial for trial in self.trials if trial.state == "stopped"])
        return self.ranked() + sorted(stopped, key=lambda trial: -(trial.epochs or 0.0))


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Returns trials by their errors on validation.

    Errors are counts and often equal: the loss on validation then decides.
    """

    def key(trial: Trial) -> tuple[float, float, int]:
        return _last(trial.validation_error), _last(trial.validation_loss), trial.index

    return sorted(trials, key=key)


def _last(value: float | None) -> float:
    """Returns a figure by which trials are sorted: what is no number comes last."""
    return math.inf if value is None or math.isnan(value) else value
