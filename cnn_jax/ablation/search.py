"""Random search, coarse to fine: many short trials in wide ranges, then longer ones in finer.

The strategy of the CS231n course notes (A. Karpathy 2015, "Neural Networks Part 3", hyperparameter
optimization), after J. Bergstra & Y. Bengio (2012), Random search for hyper-parameter optimization:
values are drawn, not taken from a grid; rates on a logarithmic scale; each stage looks closer
around the best of the one before. Validation alone judges; when all is chosen, the error on test is
reported, of the best trial and of no other. A trial whose loss explodes is stopped by the guard,
and cannot win; others may stop early by successive halving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.halving import Rung, hopeless, rungs_of
from cnn_jax.ablation.pauses import Pauses
from cnn_jax.ablation.ranges import Ranges, Values, draw_trials, edges, in_words, narrowed
from cnn_jax.ablation.search_record import SearchRecord, to_record
from cnn_jax.ablation.states import DIVERGED, DONE, PAUSED
from cnn_jax.ablation.trials import Round, Trial
from cnn_jax.config.changes import changed, values_at
from cnn_jax.config.plan import evaluation_epochs
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import FOLD, Search, Stage, Uniform
from cnn_jax.config.validate import validate
from cnn_jax.storage.run_directory import RunDirectory

Train = Callable[..., Sequence[Any]]  # (members, directory), and `Pauses` where trials stop early


def check(search: Search) -> ConfigDict:
    """Checks that every trial will have a valid config; nothing is trained.

    Args:
        search: its base is a config.

    Returns:
        What all trials start from.

    Raises:
        InputError: something in the search cannot be used; keys of ranges are named.
    """
    if problems := search.problems():
        raise InputError(problems)
    base = _base(search)
    if validate(base).data.validation_folds == 0:
        raise InputError("a search is judged on validation: config.data.validation_folds is 0")
    folds = validate(base).data.validation_folds
    if not 1 <= search.folds <= folds:
        raise InputError(
            f"search.folds = {search.folds}: config.data.validation_folds divides train into "
            f"{folds}; allowed: 1 to {folds}"
        )
    problems = []
    for key in search.ranges:
        problems += [f"range of {key}: {problem}" for problem in _range_problems(search, key)]
    if not problems:
        # What the first stage draws is known, and may go together worse than any value alone.
        stage = search.stages[0]
        for i, values in enumerate(draw_trials(search.seed, 1, search.ranges, stage.trials)):
            at = ", ".join(f"{key} = {value}" for key, value in values.items())
            told = _problems_of(search, stage, values)
            problems += [f"trial {i} of stage 1, {at}: {problem}" for problem in told]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return base


def run_search(
    search: Search, workdir: Path, train: Train, say: Callable[[str], None] = print
) -> list[Round]:
    """Runs all stages; the same call again goes on where it was interrupted.

    Values depend on the seed of the search and on the best of the stage before alone: they are
    drawn again rather than stored. `search.json` holds every trial that was run. All processes of a
    run must call; process 0 writes.

    Args:
        search: checked.
        workdir: directory of the search; each stage trains in one of its own below it.
        train: trains members in a directory, or reads what was trained there before.
        say: takes a line for the screen.

    Returns:
        The stages; no further one after one of which all trials diverged.

    Raises:
        InputError: the directory belongs to another search, or is in use; or the processes do not
            agree.
    """
    # Imported here: they import jax, for which `check` need not wait.
    from cnn_jax.devices.distributed import lead
    from cnn_jax.training.same_run import check_same_program

    rounds: list[Round] = []
    base = _base(search)
    plan = {name: told for name, told in to_record(search, base).items() if name != "base"}
    check_same_program(validate(base), {"search": plan})
    with ExitStack() as at_the_end:
        directory = at_the_end.enter_context(closing(RunDirectory(workdir))) if lead() else None
        record, ranges = SearchRecord(directory, search, base), dict(search.ranges)
        for number, stage in enumerate(search.stages, start=1):
            drawn = draw_trials(search.seed, number, ranges, stage.trials)
            members = [
                member_of(search, stage, i, values, fold)
                for i, values in enumerate(drawn)
                for fold in range(search.folds)
            ]
            if number == 1:
                record.claim(members, say)
            rungs = rungs_of(stage, search.halving, evaluation_epochs(validate(base)))
            say(_opening(number, search, stage, ranges, rungs))
            trainer = _Trainer(search, members, drawn, train, workdir / f"stage-{number}")
            stopped = hopeless(len(drawn), rungs, trainer.judged, say)
            results = trainer.trained(stopped, final=True)
            trials = trainer.trials(results, stopped)
            rounds.append(Round(stage, ranges, trials))
            record.write(rounds)
            best = rounds[-1].ranked()
            if not best:
                say(f"all trials of stage {number} diverged: lower the learning rates")
                break
            if number == len(search.stages):
                # Only now, when nothing is chosen any more.
                won = [one.final for one in _of(best[0].index, search, results)]
                told = {"test_error": _mean(won, "test_error"), "n": won[0].get("n")}
                rounds[-1] = replace(rounds[-1], test_of_best=told)
                record.write(rounds)
            for warning in edges(ranges, best[0].values, search.ranges):
                say(f"note: {warning}")
            values = [trial.values for trial in rounds[-1].in_order()[: stage.kept]]
            ranges = narrowed(ranges, values, stage.trials, search.ranges)
    return rounds


def member_of(
    search: Search, stage: Stage, index: int, values: Values, fold: int | None = None
) -> Member:
    """Returns a trial as a member of a population; all have the seeds of the base.

    Args:
        search: its base is a config.
        stage: whose epochs it has.
        index: place in the stage, from 0.
        values: dotted key -> value.
        fold: that is held out, where the search goes over several; None: that of the base.
    """
    changes = {**values, "train.epochs": float(stage.epochs)}
    cell = {key: str(value) for key, value in values.items()}
    if fold is not None and search.folds > 1:
        changes[FOLD], cell["fold"] = fold, str(fold)
    place = index * search.folds + (fold or 0)
    return Member(place, cell, 0, validate(changed(_base(search), changes)))


def _range_problems(search: Search, key: str) -> list[str]:
    """What is wrong with the values of a range, in any of the stages."""
    drawn = search.ranges[key]
    try:
        whole = values_at(_base(search), key).whole
    except InputError as error:
        return error.problems
    if whole and isinstance(drawn, Uniform):
        return [f"config.{key}: int is needed, and {drawn} draws fractions: Choice((1, 2, 3))"]
    return [
        problem
        for stage in search.stages
        for end in drawn.ends()
        for problem in _problems_of(search, stage, {key: end})
    ]


def _problems_of(search: Search, stage: Stage, values: Values) -> list[str]:
    try:
        member_of(search, stage, 0, values)
    except InputError as error:
        return error.problems
    return []


def _base(search: Search) -> ConfigDict:
    assert isinstance(search.base, ConfigDict), "the path of a config is read by the binary"
    return changed(search.base, search.trial_changes)


def _opening(
    number: int, search: Search, stage: Stage, ranges: Ranges, rungs: Sequence[Rung]
) -> str:
    count, folds = len(search.stages), f" on {search.folds} folds" * (search.folds > 1)
    lines = [f"stage {number} of {count}: {stage.trials} trials of {stage.epochs:g} epochs{folds}"]
    lines += [f"  {key}: {in_words(drawn)}" for key, drawn in ranges.items()]
    lines += [f"  left after {rung.epochs:.3g} epochs: {rung.kept}" for rung in rungs]
    if search.halving > 1 and not rungs:
        lines.append("  no trial stops early: there are too few, or too few evaluations in them")
    return "\n".join(lines)


class _Trainer:
    """The trials of a stage in training, each on one fold or on several."""

    def __init__(
        self,
        search: Search,
        members: list[Member],
        drawn: Sequence[Values],
        train: Train,
        where: Path,
    ):
        self._search, self._members, self._drawn = search, members, drawn
        self._train, self._where = train, where

    def trained(self, until: Mapping[int, float], final: bool) -> Sequence[Any]:
        """Trains so far as it is told, trial -> epochs; the others to their end."""
        if not until:
            return self._train(self._members, self._where)
        trial_of = {one.index: one.index // self._search.folds for one in self._members}
        epochs = {i: until[trial] for i, trial in trial_of.items() if trial in until}
        return self._train(self._members, self._where, pauses=Pauses(epochs, final))

    def trials(self, results: Sequence[Any], until: Mapping[int, float]) -> list[Trial]:
        """Returns what became of the trials."""
        return [
            _trial(i, values, _of(i, self._search, results), until.get(i))
            for i, values in enumerate(self._drawn)
        ]

    def judged(self, until: Mapping[int, float]) -> list[Trial]:
        """Trains so far as it is told, and returns the trials with their figures by then."""
        return self.trials(self.trained(until, final=False), until)


def _of(trial: int, search: Search, results: Sequence[Any]) -> list[Any]:
    """The results of a trial, one a fold."""
    return sorted(
        (one for one in results if one.member.index // search.folds == trial),
        key=lambda one: one.member.index,
    )


def _trial(
    index: int, values: Values, results: Sequence[Any], epochs: float | None = None
) -> Trial:
    """A trial of which a fold diverged has diverged; it has paused after so many epochs, if any."""
    states = {one.state for one in results}
    if DIVERGED in states:
        return Trial(index, values, DIVERGED)
    finals = [one.final for one in results]
    error, loss = (_mean(finals, f"validation_{name}") for name in ("error", "loss"))
    by_fold = tuple(final["validation_error"] for final in finals) if len(finals) > 1 else ()
    if PAUSED in states:
        return Trial(index, values, "stopped", error, loss, None, by_fold, epochs)
    return Trial(index, values, DONE, error, loss, _mean(finals, "train_error"), by_fold)


def _mean(finals: Sequence[Any], name: str) -> float | None:
    measured = [final[name] for final in finals if final.get(name) is not None]
    return sum(measured) / len(finals) if len(measured) == len(finals) else None
