"""The suite of a data set: every published error of it that a config here repeats.

A row of a suite is a config: its file and word, which lines of `models/published_facts.json` name.
Nothing else has to be registered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from cnn_jax.config.problems import InputError, hint, nearest
from cnn_jax.diagnostics.published_rows import PublishedRow, all_rows
from cnn_jax.models.facts import facts

SEEDS: Final = 3
# Rows that everybody asks about are trained with more seeds.
MORE_SEEDS: Final = {"mnist/lenet5:1998*": 5}
# Rows of which a seed takes far longer than all others together: trained where they are named.
LONG: Final = ("mnist/dropout_2014:max_norm_*",)


@dataclass(frozen=True)
class SuiteRow:
    """A config, and the published errors that it repeats.

    Attributes:
        recipe: config file and word, `mnist/lenet5:1998`.
        published: the errors.
        seeds: with how many it is trained, counted from 0.
    """

    recipe: str
    published: tuple[PublishedRow, ...]
    seeds: int

    @property
    def file(self) -> str:
        """The config as `--config` has it."""
        path, _, word = self.recipe.partition(":")
        return f"configs/{path}.py" + (f":{word}" if word else "")

    @property
    def folder(self) -> str:
        """The name of its directory."""
        return self.recipe.replace("/", "-").replace(":", "-")

    def names(self) -> tuple[str, ...]:
        """All by which it can be asked for: the config, its word, its published errors."""
        path, _, word = self.recipe.partition(":")
        short = (path.rpartition("/")[2], *((word,) if word else ()))
        about = (
            name for row in self.published for name in (row.reference_id, row.name, paper_of(row))
        )
        return (self.recipe, self.recipe.partition("/")[2], path, *short, *about)


def paper_of(row: PublishedRow) -> str:
    """Returns authors and year: `LeCun et al. 1998`; the name of the network without a paper."""
    citation = facts()[row.reference_id].citation
    if not citation:
        return row.reference_id
    names = [author.rpartition(" ")[2] for author in citation["authors"]]
    authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{authors} {citation['year']}"


def suite_of(dataset: str, seeds: int | None = None) -> list[SuiteRow]:
    """Returns the rows of a data set, in the order in which their papers are listed.

    Args:
        dataset: as TFDS names it.
        seeds: of every row; None: 3, or more where `MORE_SEEDS` has it.

    Raises:
        InputError: there is no suite of that name.
    """
    by_set: dict[str, dict[str, list[PublishedRow]]] = {}
    for row in all_rows():
        for recipe in row.result.recipes:
            if row.result.dataset:
                by_set.setdefault(row.result.dataset, {}).setdefault(recipe, []).append(row)
    if dataset not in by_set:
        raise InputError(f"--suite={dataset} is unknown{hint(dataset, by_set)}")
    return [
        SuiteRow(recipe, tuple(rows), seeds or _usual(recipe))
        for recipe, rows in by_set[dataset].items()
    ]


def _usual(recipe: str) -> int:
    more = (count for pattern, count in MORE_SEEDS.items() if fnmatchcase(recipe, pattern))
    return next(more, SEEDS)


def chosen(rows: Sequence[SuiteRow], patterns: Sequence[str]) -> list[SuiteRow]:
    """Returns the rows that patterns name, in the order of the suite.

    Args:
        rows: of the suite.
        patterns: with `*` and `?`, each of a config, its word, a network or a paper; one that
            begins with `-` leaves rows out; none, or these alone: all others that are not `LONG`.

    Raises:
        InputError: a pattern names no row, or none is left.
    """
    names = {name for row in rows for name in row.names()}
    asked = [pattern.removeprefix("-") for pattern in patterns]
    unknown = [p for p in asked if not any(fnmatchcase(name, p) for name in names)]
    allowed = ", ".join(row.recipe for row in rows)
    if unknown:
        raise InputError(
            [f"--rows={p}: no such row{_guess(p, names)} Allowed: {allowed}" for p in unknown]
        )
    without = [pattern[1:] for pattern in patterns if pattern.startswith("-")]
    wanted = [pattern for pattern in patterns if not pattern.startswith("-")]
    kept = [row for row in rows if _wanted(row, wanted) and not _named(row, without)]
    if not kept:
        raise InputError(f"--rows={' '.join(patterns)} leaves no row. Allowed: {allowed}")
    return kept


def _wanted(row: SuiteRow, patterns: Sequence[str]) -> bool:
    if patterns:
        return _named(row, patterns)
    return not any(fnmatchcase(row.recipe, pattern) for pattern in LONG)


def _named(row: SuiteRow, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, p) for p in patterns for name in row.names())


def _guess(pattern: str, names: set[str]) -> str:
    near = nearest(pattern.replace("*", ""), names)
    return f"; did you mean {near!r}?" if near else "."
