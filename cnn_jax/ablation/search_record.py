"""`search.json`: what was searched for, and every trial that was run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.ablation import population_record
from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.trials import Round
from cnn_jax.config.identity import difference, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import Search
from cnn_jax.config.validate import validate
from cnn_jax.storage.run_directory import RunDirectory, origin

NAME = "search.json"


class SearchRecord:
    """The record of a search in its directory.

    Args:
        directory: of the search; None: another process writes.
        search: what is searched for.
        base: the config that all trials start from.
    """

    def __init__(self, directory: RunDirectory | None, search: Search, base: ConfigDict):
        self._directory, self._asked = directory, to_record(search, base)

    def claim(self, first: Sequence[Member], say: Callable[[str], None]) -> None:
        """Makes the directory that of the search.

        Args:
            first: the trials of the first stage.
            say: takes a line for the screen.

        Raises:
            InputError: the directory belongs to another search, or to something else.
        """
        if (directory := self._directory) is None:
            return
        try:
            saved = directory.read(NAME)
            before = None if saved is None else saved["search"]
        except (InputError, TypeError, KeyError) as error:
            before = None
            say(f"{directory.path / NAME} is damaged ({error}): it is written again")
        if before is not None:
            directory.check_same("search", _different(before, self._asked))
            return
        where = directory.path / "stage-1"
        if (begun := population_record.read(where)) is not None:
            population_record.check_same(where, begun, first)
        else:
            directory.check_free("a search", NAME)
        self.write([])

    def write(self, rounds: Sequence[Round]) -> None:
        """Writes every trial of the stages that were run, and test where all is chosen."""
        if self._directory is None:
            return
        run = [
            {"ranges": _plain(r.ranges), "trials": [asdict(trial) for trial in r.trials]}
            | {"stage": asdict(r.stage)}
            for r in rounds
        ]
        tested = rounds[-1].test_of_best if rounds else None
        told = {} if tested is None else {"test_of_best": tested}
        self._directory.write(NAME, {"search": self._asked, "stages_run": run} | told | origin())


def to_record(search: Search, base: ConfigDict) -> dict[str, Any]:
    """Returns a search as JSON holds it.

    Args:
        search: what is searched for.
        base: the config that all trials start from.
    """
    return {
        "base": to_tree(validate(base)),
        "ranges": _plain(search.ranges),
        "stages": [asdict(stage) for stage in search.stages],
        "seed": search.seed,
        "folds": search.folds,
        "halving": search.halving,
    }


def _different(saved: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    asked = json.loads(json.dumps(asked))  # tuples have become lists in the file
    lines = difference(saved["base"], asked["base"])
    saved = {"folds": 1, "halving": 1} | saved  # an earlier version knew of neither
    for key in ("ranges", "stages", "seed", "folds", "halving"):
        if saved[key] != asked[key]:
            lines.append(f"{key}: {saved[key]} in the run directory, {asked[key]} now")
    return lines


def _plain(ranges: Any) -> dict[str, Any]:
    return {key: {"kind": type(drawn).__name__} | asdict(drawn) for key, drawn in ranges.items()}
