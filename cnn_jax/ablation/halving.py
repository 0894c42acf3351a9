"""Successive halving: hopeless trials of a stage stop early, and their share goes to the others.

K. Jamieson & A. Talwalkar (2016), Non-stochastic Best Arm Identification and Hyperparameter
Optimization, AISTATS, Algorithm 1: all trials get a small budget, the better half of them twice as
much, and so on. With `eta` in place of two, and the budget in epochs, as the inner loop of
Hyperband: L. Li et al. (2018), Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization, JMLR 18(185), Algorithm 1, of which this is one bracket. There every rung may train
anew; here a trial pauses and goes on: it is the run that it would have been without, with the
schedule of its full length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cnn_jax.ablation.trials import Trial, best_first
from cnn_jax.config.search import Stage


@dataclass(frozen=True)
class Rung:
    """Where trials are judged.

    Attributes:
        epochs: after how many.
        kept: how many of the best go on.
    """

    epochs: float
    kept: int


def rungs_of(stage: Stage, eta: int, least_epochs: float) -> list[Rung]:
    """Returns where the trials of a stage are judged on the way; empty: nowhere.

    With n trials of R epochs the rungs are at R/eta^s, ..., R/eta^2, R/eta. n/eta trials go on from
    the first, n/eta^2 from the second and so on, rounded down; s is the largest for which one goes
    on from the last.

    Args:
        stage: trials, epochs.
        eta: one of so many goes on; 1: all.
        least_epochs: before which no trial is judged.
    """
    if eta < 2:
        return []
    count = 0
    while stage.trials >= eta ** (count + 1) and stage.epochs / eta ** (count + 1) >= least_epochs:
        count += 1
    return [
        Rung(stage.epochs / eta ** (count - i), stage.trials // eta ** (i + 1))
        for i in range(count)
    ]


def hopeless(
    trials: int,
    rungs: Sequence[Rung],
    judge: Callable[[Mapping[int, float]], Sequence[Trial]],
    say: Callable[[str], None],
) -> dict[int, float]:
    """Trains trials from rung to rung; what is left has still to be trained to its end.

    Args:
        trials: how many there are.
        rungs: where they are judged.
        judge: trains so far as it is told, trial -> epochs, and returns all trials; those that
            paused have figures of validation.
        say: takes a line for the screen.

    Returns:
        Trial -> epochs, of those that are stopped early.
    """
    stopped: dict[int, float] = {}
    for rung in rungs:
        found = judge({i: stopped.get(i, rung.epochs) for i in range(trials)})
        going = [trial for trial in found if trial.index not in stopped]
        ranked = best_first([trial for trial in going if trial.validation_error is not None])
        stopped |= {trial.index: rung.epochs for trial in ranked[rung.kept :]}
        say(
            f"after {rung.epochs:.3g} epochs: {min(rung.kept, len(ranked))} of {len(ranked)} "
            "trials go on, the best on validation"
        )
    return stopped
