"""From factors and seeds to members: every combination of levels, validated before anything runs.

Imports no jax: a broken level fails in a fraction of a second.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.changes import changed
from cnn_jax.config.identity import to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate

SEEDS = ("init", "data", "dropout")
Levels = dict[str, str]  # factor -> label of its level


@dataclass(frozen=True)
class Member:
    """One run of a population.

    Attributes:
        index: place in the population, from 0.
        cell: factor -> label of the level.
        seed: which repetition of the cell, from 0.
        config: of the run, validated.
    """

    index: int
    cell: Levels
    seed: int
    config: ConfigDict

    @property
    def title(self) -> str:
        """The cell and the seed as a message names them."""
        levels = [f"factor {factor!r}, level {label!r}" for factor, label in self.cell.items()]
        return ", ".join([*levels, f"seed {self.seed}"])


def members_of(ablation: Ablation) -> list[Member]:
    """Returns the members, cell by cell, the last factor changing fastest, and seed by seed.

    Seed k adds k to `seed.init`, `seed.data` and `seed.dropout` of the base: members of one k see
    the same data in the same order in every cell, so that cells can be compared in pairs.

    Args:
        ablation: its base is a config.

    Raises:
        InputError: a level, or a combination of levels, is no valid config; factor, level and key
            are named. Two factors set the same key.
    """
    if problems := ablation.problems() or _overlaps(ablation):
        raise InputError(problems)
    base = _validated("the base", ablation.base, ablation.changes)
    problems = []
    for axis in _axes(ablation):
        for cell in axis:
            problems += _problems_of(ablation, cell, base)
    if not problems:
        problems = [
            line for cell in cells_of(ablation) for line in _problems_of(ablation, cell, base)
        ]
    if problems:
        raise InputError(problems)
    pairs = itertools.product(cells_of(ablation), range(ablation.seeds))
    return [
        Member(index, cell, seed, member_config(ablation, base, cell, seed))
        for index, (cell, seed) in enumerate(pairs)
    ]


def member_config(ablation: Ablation, base: ConfigDict, cell: Levels, seed: int) -> ConfigDict:
    """Returns the validated config of one member; a level may set a seed itself."""
    seeds = {f"seed.{name}": base.seed[name] + seed for name in SEEDS}
    return validate(changed(base, seeds | _changes(ablation, cell)))


def cells_of(ablation: Ablation) -> list[Levels]:
    """Returns all combinations of levels."""
    cells = []
    for choice in itertools.product(*_axes(ablation)):
        chosen = {factor: label for part in choice for factor, label in part.items()}
        cells.append({factor: chosen[factor] for factor in ablation.factors})
    return cells


def to_record(ablation: Ablation) -> dict[str, Any]:
    """Returns an ablation as JSON holds it: base, factors with their changes, pairing, seeds."""
    base = validate(changed(ablation.base, ablation.changes))
    factors = {
        name: [{"label": label, "changes": dict(changes)} for label, changes in levels.items()]
        for name, levels in ablation.factors.items()
    }
    return {
        "base": to_tree(base),
        "factors": factors,
        "paired": [list(group) for group in ablation.paired],
        "seeds": ablation.seeds,
        "baseline": dict(ablation.baseline),
    }


def _axes(ablation: Ablation) -> list[list[Levels]]:
    """What is crossed: the levels of each factor, or of a group of paired ones side by side."""
    groups = {name: group for group in ablation.paired for name in group}
    axes = []
    for name in ablation.factors:
        group = groups.get(name, (name,))
        if name == group[0]:
            columns = [list(ablation.factors[member]) for member in group]
            rows = zip(*columns, strict=True)
            axes.append([dict(zip(group, labels, strict=True)) for labels in rows])
    return axes


def _changes(ablation: Ablation, cell: Levels) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for factor, label in cell.items():
        merged |= ablation.factors[factor][label]
    return merged


def _overlaps(ablation: Ablation) -> list[str]:
    """Names the keys that two factors set: the later would silently win."""
    keys = {
        name: {key for changes in levels.values() for key in changes}
        for name, levels in ablation.factors.items()
    }
    return [
        f"factors {one!r} and {other!r} both set config.{key}"
        for one, other in itertools.combinations(keys, 2)
        for key in sorted(keys[one] & keys[other])
    ]


def _problems_of(ablation: Ablation, cell: Levels, base: ConfigDict) -> list[str]:
    where = ", ".join(f"factor {factor!r}, level {label!r}" for factor, label in cell.items())
    try:
        _validated(where, base, _changes(ablation, cell))
    except InputError as error:
        return error.problems
    return []


def _validated(where: str, config: Config, changes: Any) -> ConfigDict:
    try:
        return validate(changed(config, changes))
    except InputError as error:
        raise InputError([f"{where}: {problem}" for problem in error.problems]) from error
