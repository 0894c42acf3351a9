"""What a search found: its best trials, and the command that trains with the best values."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from cnn_jax.ablation.ranges import edges
from cnn_jax.ablation.search import Round
from cnn_jax.ablation.table import Table

SHOWN = 10


def best_table(rounds: Sequence[Round], number: int) -> Table:
    """Returns the best trials of a stage, in the order of their errors on validation.

    Args:
        rounds: the stages that were run.
        number: of the stage, from 1; at least one of its trials came to the end.
    """
    round_ = rounds[number - 1]
    ranked, stage = round_.ranked(), round_.stage
    at_edges = edges(round_.ranges, ranked[0].values, rounds[0].ranges)
    keys = tuple(round_.ranges)
    rows = tuple(
        (
            str(place),
            *(_value(trial.values[key]) for key in keys),
            f"{100 * (trial.validation_error or 0.0):.2f}",
            f"{trial.validation_loss:.4f}",
            f"{100 * (trial.train_error or 0.0):.2f}",
        )
        for place, trial in enumerate(ranked[:SHOWN], start=1)
    )
    diverged = len(round_.trials) - len(ranked)
    return Table(
        f"Stage {number}: the best {len(rows)} of {stage.trials} trials of {stage.epochs:g} epochs",
        ("", *keys, "validation error, %", "validation loss", "train error, %"),
        rows,
        words=1,
        best=frozenset({(0, 1 + len(keys))}),
        notes=(
            f"{diverged} of {stage.trials} trials diverged and were stopped early.",
            *(f"Note: {warning}." for warning in at_edges),
        ),
    )


def report(
    rounds: Sequence[Round], base: str, overrides: Sequence[str] = ()
) -> tuple[list[Table], str | None]:
    """Returns a table for each stage, and the command of the best trial of the last one.

    Args:
        rounds: the stages that were run.
        base: path of the config file.
        overrides: of the base, as the command line had them.

    Returns:
        Tables, and the command; None in its place where all trials of the last stage diverged.
    """
    tables = [best_table(rounds, number) for number, r in enumerate(rounds, start=1) if r.ranked()]
    if not rounds or not rounds[-1].ranked():
        return tables, None
    return tables, override_line(base, overrides, rounds[-1].ranked()[0].values)


def override_line(base: str, overrides: Sequence[str], values: Mapping[str, Any]) -> str:
    """Returns the command that trains with some values, on the data and for the epochs of the base.

    Args:
        base: path of the config file.
        overrides: of the base, as the command line had them.
        values: dotted key -> value.
    """
    best = [f"--config.{key}={value}" for key, value in values.items()]
    return shlex.join(["python", "-m", "experiments.train", f"--config={base}", *overrides, *best])


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
