"""What a file in `configs/ablations/` describes: a base, factors with levels, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.problems import InputError, hint, shown
from cnn_jax.config.values import count

Changes = Mapping[str, Any]  # dotted key of a config -> value, as {"model.kwargs.norm": "batch"}
Factors = Mapping[str, Mapping[str, Changes]]  # name -> label of the level -> changes

SEEDS = count("every one is a run of every cell", high=10_000)


@dataclass
class Ablation:
    """An ablation; other names than these cannot be assigned.

    Attributes:
        base: the config that all members start from: a file with its word, as
            `configs/imagenet/resnet.py:18`, or a config that the file builds.
        changes: what is other than in the base, for all members.
        factors: name -> label of the level -> changes. Factors are crossed.
        paired: groups of factors that go together, first level with first level and so on, instead.
        seeds: how often every cell is trained: seed k adds k to the three seeds of the base.
        baseline: factor -> label: what the others are compared with; the first level if left out.
    """

    base: str | ConfigDict = ""
    changes: Changes = field(default_factory=dict)
    factors: Factors = field(default_factory=dict)
    paired: tuple[tuple[str, ...], ...] = ()
    seeds: int = 10
    baseline: Mapping[str, str] = field(default_factory=dict)

    def __setattr__(self, name: str, value: Any) -> None:
        names = [declared.name for declared in fields(self)]
        if name not in names:
            raise InputError(f"ablation.{name} is unknown{hint(name, names)}")
        super().__setattr__(name, value)

    def problems(self) -> list[str]:
        """Returns what is wrong with the form of it, one sentence each."""
        problems = []
        if not isinstance(self.base, str | ConfigDict) or self.base == "":
            problems.append(f"ablation.base = {self.base!r}: a config, or the path of its file")
        if problem := SEEDS.problem(self.seeds):
            problems.append(f"ablation.seeds = {shown(self.seeds)}{problem}, as in --seeds=10")
        if not _is_changes(self.changes):
            problems.append(f"ablation.changes = {self.changes!r}: a dict from keys to values")
        if not isinstance(self.factors, Mapping) or not self.factors:
            return [
                *problems,
                "ablation.factors: at least one factor is needed, name -> its levels",
            ]
        for name, levels in self.factors.items():
            if not isinstance(levels, Mapping) or not levels:
                problems.append(f"factor {name!r}: a dict of levels is needed, label -> changes")
                continue
            for label, changes in levels.items():
                if not isinstance(label, str) or not _is_changes(changes):
                    problems.append(
                        f"factor {name!r}, level {label!r}: {changes!r}: a word, and a dict from "
                        "keys to values, as {'model.kwargs.norm': 'batch'}"
                    )
        for name, label in self.baseline.items():
            if label not in self.factors.get(name, {}):
                problems.append(
                    f"ablation.baseline: factor {name!r}, level {label!r}: there is no such one"
                )
        return problems + self._pairing_problems()

    def sets(self) -> dict[str, str]:
        """Returns the keys that its levels set, each with what sets it."""
        return {
            key: f"factor {name!r}"
            for name, levels in self.factors.items()
            for changes in levels.values()
            for key in changes
        }

    def _pairing_problems(self) -> list[str]:
        problems, seen = [], set()
        for group in self.paired:
            for name in group:
                if name not in self.factors:
                    problems.append(f"ablation.paired names {name!r}{hint(name, self.factors)}")
                elif name in seen:
                    problems.append(f"ablation.paired names {name!r} twice")
                seen.add(name)
            counts = {name: len(self.factors[name]) for name in group if name in self.factors}
            if len(set(counts.values())) > 1:
                problems.append(
                    f"ablation.paired: {counts}: paired factors have equally many levels"
                )
        return problems


def _is_changes(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
