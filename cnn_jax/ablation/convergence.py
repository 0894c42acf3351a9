"""How soon the members of a cell come to the error at which the baseline ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from cnn_jax.ablation.statistics import EQUAL, metric_of


@dataclass(frozen=True)
class Convergence:
    """How soon a cell arrives.

    Attributes:
        levels: factor -> label.
        steps: of the members that arrive, until they first do.
        members: how many the cell has, of the seeds whose baseline came to the end; those that
            diverged included.
    """

    levels: dict[str, str]
    steps: tuple[int, ...]
    members: int

    @property
    def median(self) -> float | None:
        """The median over all members, one that never arrives being the slowest; None: never."""
        middle = median([*self.steps] + [math.inf] * (self.members - len(self.steps)))
        return middle if middle < math.inf else None


def convergence(
    members: Sequence[Mapping[str, Any]], baseline: Mapping[str, str]
) -> list[Convergence]:
    """Returns how soon each cell comes to the validation error at which the baseline ends.

    A member is held against the baseline of its own seed, which itself arrives at its last
    evaluation or before. The measure is that of S. Ioffe & C. Szegedy (2015), Batch normalization,
    figure 3: training steps to the accuracy that the network without batch norm reaches.

    Args:
        members: of `ablation.json`.
        baseline: factor -> label.

    Returns:
        A line for each cell; none where the baseline has no validation error.
    """
    targets = {
        member["seed"]: target
        for member in members
        if member["factors"] == dict(baseline) and member["state"] == "done"
        if (target := metric_of(member["final"], "validation_error")) is not None
    }
    by_levels: dict[tuple[tuple[str, str], ...], list[int | None]] = {}
    for member in members:
        if member["seed"] in targets:
            cell = by_levels.setdefault(tuple(member["factors"].items()), [])
            cell.append(steps_to(member["curve"], targets[member["seed"]]))
    return [
        Convergence(dict(levels), tuple(s for s in steps if s is not None), len(steps))
        for levels, steps in by_levels.items()
    ]


def steps_to(curve: Mapping[str, Sequence[float | None]], target: float) -> int | None:
    """Returns the first step at which the validation error was at most `target`; None: never.

    Args:
        curve: of a member; None stands for what is no number, as JSON has it.
        target: a fraction.
    """
    steps, errors = curve.get("validation_step", []), curve.get("validation_error", [])
    for step, error in zip(steps, errors, strict=True):
        if step is not None and error is not None and error <= target + EQUAL:
            return int(step)
    return None
