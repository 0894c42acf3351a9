"""What the directory of a population says of itself: its members, and how they are trained."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.strategies import AUTO
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.storage.run_directory import read_json

NAME = "population.json"


@dataclass
class PopulationRecord:
    """What was decided when a population began; a later call keeps to it.

    Attributes:
        path: of the file.
        members: index and config hash of each.
        strategy: what it came to.
        at_once: for each group the most members of a wave; empty until they are known.
    """

    path: Path
    members: list[list[Any]]
    strategy: str
    at_once: list[int] = field(default_factory=list)

    def write(self) -> None:
        """Writes the file, in one step."""
        tree = {"members": self.members, "strategy": self.strategy, "at_once": self.at_once}
        fresh = self.path.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump(tree, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)


def claim(
    directory: Path, members: Sequence[Member], asked: str, resolved: str
) -> PopulationRecord:
    """Returns the record of a directory, new or as an earlier call left it.

    Args:
        directory: is created if it does not exist.
        members: to be trained there.
        asked: the strategy as it was asked for.
        resolved: what it would come to now.

    Raises:
        InputError: the directory holds other members, or was begun by another strategy.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / NAME
    listed = [[member.index, config_hash(to_tree(member.config))] for member in members]
    saved = read_json(path)
    if saved is None:
        record = PopulationRecord(path, listed, resolved)
        record.write()
        return record
    if saved["members"] != listed:
        before, now = ({tuple(pair) for pair in pairs} for pairs in (saved["members"], listed))
        differing = sorted({index for index, _ in before ^ now})
        raise InputError(
            f"{directory} holds other members; nothing was changed: members "
            f"{', '.join(map(str, differing[:5]))}{' ...' if len(differing) > 5 else ''} differ"
        )
    if asked not in (AUTO, saved["strategy"]):
        raise InputError(
            f"{directory} was begun with --strategy={saved['strategy']}, and {asked} gives other "
            "last digits; leave the strategy out to go on"
        )
    return PopulationRecord(path, listed, saved["strategy"], saved["at_once"])
