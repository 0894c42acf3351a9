"""What a file in `configs/searches/` describes: a base, ranges of some of its keys, and stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError, hint, shown
from cnn_jax.config.values import Limits, Values, count

SET_BY_A_STAGE = "train.epochs"
FOLD = "data.validation_fold"
TRIALS = count("every one is a run", high=10_000)
SEED = count("that is the largest int32", low=0)


@dataclass(frozen=True)
class Uniform:
    """A number, any between two ends alike.

    Attributes:
        low: the smallest.
        high: the largest.
    """

    low: float
    high: float

    def problem(self) -> str:
        """Returns what is wrong with it, or the empty string."""
        if any(Values(number=Limits()).problem(end) for end in (self.low, self.high)):
            return "two finite numbers are needed"
        return "" if self.low < self.high else "the first number must be below the second"

    def ends(self) -> tuple[Any, ...]:
        """Returns values that must be valid for all others to be."""
        return self.low, self.high


@dataclass(frozen=True)
class LogUniform(Uniform):
    """A number above zero whose logarithm is uniform: for rates, whose order of size is sought."""

    def problem(self) -> str:
        """Returns what is wrong with it, or the empty string."""
        return super().problem() or ("" if self.low > 0 else "a logarithm needs numbers above 0")


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Attributes:
        options: the values.
    """

    options: tuple[Any, ...]

    def problem(self) -> str:
        """Returns what is wrong with it, or the empty string."""
        right = isinstance(self.options, tuple) and len(self.options) > 0
        return "" if right else "a tuple of at least one value is needed"

    def ends(self) -> tuple[Any, ...]:
        """Returns values that must be valid for all others to be."""
        return self.options


Range = Uniform | LogUniform | Choice


@dataclass(frozen=True)
class Stage:
    """One round of trials.

    Attributes:
        trials: how many.
        epochs: length of each.
        kept: how many of the best span the ranges of the next stage.
    """

    trials: int
    epochs: float
    kept: int = 5

    def problems(self, where: str) -> list[str]:
        """Returns what is wrong with it, one sentence each."""
        taken = {"trials": TRIALS, "epochs": SCHEMA["train"]["epochs"].values, "kept": TRIALS}
        problems = [
            f"{where}.{name} = {shown(getattr(self, name))}{problem}"
            for name, values in taken.items()
            if (problem := values.problem(getattr(self, name)))
        ]
        if not problems and self.kept > self.trials:
            problems.append(f"{where}.kept = {self.kept}: there are {self.trials} trials")
        return problems


@dataclass
class Search:
    """A random search, coarse to fine; other names than these cannot be assigned.

    Attributes:
        base: the config that all trials start from: a file with its word, as
            `configs/digits/lenet5.py`, or a config that the file builds.
        trial_changes: dotted key -> value: what is other than in the base, for the trials alone.
        ranges: dotted key -> where its value is drawn from in the first stage.
        stages: one after another.
        seed: of the draws.
        halving: of the trials of a stage one in so many goes on from each rung, the others stop
            early; 1: all go on.
        folds: how many each trial is trained on, each with another part of train held out; it is
            judged by the mean of their validation errors.
    """

    base: str | ConfigDict = ""
    trial_changes: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    stages: tuple[Stage, ...] = (Stage(trials=20, epochs=2.0), Stage(trials=10, epochs=10.0))
    seed: int = 0
    folds: int = 1
    halving: int = 1

    def __setattr__(self, name: str, value: Any) -> None:
        names = [declared.name for declared in fields(self)]
        if name not in names:
            raise InputError(f"search.{name} is unknown{hint(name, names)}")
        super().__setattr__(name, value)

    def sets(self) -> dict[str, str]:
        """Returns the keys that it sets, each with what sets it."""
        ranges = dict.fromkeys(self.ranges, "a range of the search")
        changes = dict.fromkeys(self.trial_changes, "the search, for its trials,")
        folds = {FOLD: "the folds of the search"} if self.folds > 1 else {}
        return {SET_BY_A_STAGE: "every stage of the search", **folds, **changes, **ranges}

    def problems(self) -> list[str]:
        """Returns what is wrong with the form of it, one sentence each."""
        problems = []
        base, changes, ranges, stages = (
            getattr(self, name) for name in ("base", "trial_changes", "ranges", "stages")
        )
        if not isinstance(base, str | ConfigDict) or base == "":
            problems.append(f"search.base = {base!r}: a config, or the path of its file")
        if problem := SEED.problem(self.seed):
            problems.append(f"search.seed = {shown(self.seed)}{problem}")
        for name in ("folds", "halving"):
            if problem := TRIALS.problem(getattr(self, name)):
                problems.append(f"search.{name} = {shown(getattr(self, name))}{problem}")
        if not isinstance(changes, Mapping):
            return [*problems, f"search.trial_changes = {changes!r}: a dict from keys to values"]
        if not isinstance(ranges, Mapping) or not ranges:
            return [
                *problems,
                "search.ranges: a dict from keys to ranges is needed, of at least one",
            ]
        for name, keys in (("trial_changes", changes), ("ranges", ranges)):
            if SET_BY_A_STAGE in keys:
                problems.append(
                    f"search.{name}: {SET_BY_A_STAGE}: every stage sets this key, as in "
                    "Stage(trials=20, epochs=2.0)"
                )
        for key, drawn in ranges.items():
            if not isinstance(drawn, Range):
                problems.append(
                    f"range of {key}: {drawn!r}: Uniform, LogUniform or Choice is needed"
                )
            elif problem := drawn.problem():
                problems.append(f"range of {key}: {drawn}: {problem}")
            elif key in changes:
                problems.append(f"range of {key}: search.trial_changes sets the same key")
        if not isinstance(stages, tuple) or not stages:
            return [*problems, "search.stages: a tuple of at least one stage is needed"]
        for i, stage in enumerate(stages, start=1):
            problems += (
                stage.problems(f"stage {i}")
                if isinstance(stage, Stage)
                else [f"stage {i} = {stage!r}: a Stage is needed"]
            )
        return problems
