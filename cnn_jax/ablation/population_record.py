"""What the directory of a population says of itself: its members, and how they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.ablation.factors import Member
from cnn_jax.ablation.strategies import AUTO
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError

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
        files.write_json(self.path, tree, indent=None)


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
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(directory, error) from error
    path = directory / NAME
    saved = read(directory)
    if saved is None:
        record = PopulationRecord(path, _listed(members), resolved)
        record.write()
        return record
    check_same(directory, saved, members)
    if asked not in (AUTO, saved["strategy"]):
        raise InputError(
            f"{directory} was begun with --strategy={saved['strategy']}, and {asked} gives other "
            "last digits; leave the strategy out to go on"
        )
    return PopulationRecord(path, saved["members"], saved["strategy"], saved["at_once"])


def read(directory: Path) -> dict[str, Any] | None:
    """Returns what the record of a directory says; None where there is none.

    One that is damaged counts as none as long as nothing was trained.

    Raises:
        InputError: it is damaged, and members were trained.
    """
    path = directory / NAME
    try:
        saved = files.read_json(path)
        if saved is not None and not {"members", "strategy", "at_once"} <= set(saved):
            raise InputError(f"{path} is damaged: it does not say how the members are trained")
        return saved
    except InputError as error:
        if not [p for p in directory.glob("[!.]*") if p.name != NAME]:
            return None
        raise InputError(
            f"{error}. It says which members share the files beside it: put a sound copy in its "
            f"place, or move {directory} away, and all are trained again, to the same numbers"
        ) from error


def check_same(directory: Path, saved: dict[str, Any], members: Sequence[Member]) -> None:
    """Checks that a record is of these members.

    Args:
        directory: of the record.
        saved: what it says.
        members: that are to be trained there.

    Raises:
        InputError: it is of others.
    """
    listed = _listed(members)
    if saved["members"] != listed:
        before, now = ({tuple(pair) for pair in pairs} for pairs in (saved["members"], listed))
        differing = sorted({index for index, _ in before ^ now})
        raise InputError(
            f"{directory} holds other members; nothing was changed: members "
            f"{', '.join(map(str, differing[:5]))}{' ...' if len(differing) > 5 else ''} differ"
        )


def _listed(members: Sequence[Member]) -> list[list[Any]]:
    return [[member.index, config_hash(to_tree(member.config))] for member in members]
