"""What a search found: its best trials, and the command that trains with the best values."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnn_jax.ablation.ranges import edges
from cnn_jax.ablation.table import Table
from cnn_jax.ablation.trials import Round, Trial
from cnn_jax.config.values import text_of

SHOWN = 10


def best_table(rounds: Sequence[Round], number: int) -> Table:
    """Returns the best trials of a stage, in the order of their errors on validation.

    Args:
        rounds: the stages that were run.
        number: of the stage, from 1; at least one of its trials came to the end.
    """
    round_ = rounds[number - 1]
    ranked, stage = round_.in_order(), round_.stage
    stopped = [trial for trial in ranked if trial.state == "stopped"]
    at_edges = edges(round_.ranges, ranked[0].values, rounds[0].ranges)
    keys = tuple(round_.ranges)
    rows = tuple(
        (
            str(place),
            *(_value(trial.values[key]) for key in keys),
            f"{100 * (trial.validation_error or 0.0):.2f}{_between_folds(trial)}",
            f"{trial.validation_loss:.4f}",
            "" if trial.train_error is None else f"{100 * trial.train_error:.2f}",
            *([f"{trial.epochs or stage.epochs:.3g}"] if stopped else []),
        )
        for place, trial in enumerate(ranked[:SHOWN], start=1)
    )
    diverged = len(round_.trials) - len(ranked)
    return Table(
        f"Stage {number}: the best {len(rows)} of {stage.trials} trials of {stage.epochs:g} epochs",
        ("", *keys, "validation error, %", "validation loss", "train error, %")
        + (("epochs",) if stopped else ()),
        rows,
        words=1,
        best=frozenset({(0, 1 + len(keys))}),
        notes=(
            f"{diverged} of {stage.trials} trials diverged and were stopped early.",
            *_stopped(stopped, stage.trials),
            *(f"Note: {warning}." for warning in at_edges),
            *_tested(round_),
        ),
    )


def _stopped(stopped: Sequence[Trial], trials: int) -> list[str]:
    """How many trials did not go on, and after how many epochs."""
    if not stopped:
        return []
    counts = sorted(Counter(trial.epochs or 0.0 for trial in stopped).items())
    after = ", ".join(f"{count} after {epochs:.3g} epochs" for epochs, count in counts)
    return [
        f"{len(stopped)} of {trials} trials were stopped early, as others were better on "
        f"validation by then: {after}. They stand below those that were not."
    ]


def _between_folds(trial: Trial) -> str:
    """The least and the largest error of a fold, where there are several."""
    if not trial.fold_errors:
        return ""
    least, most = (100 * end(trial.fold_errors) for end in (min, max))
    return f" ({least:.2f} to {most:.2f})"


def _tested(round_: Round) -> list[str]:
    """What is said of test: once, of the best alone, after the choice."""
    if round_.test_of_best is None:
        return []
    error, n = (round_.test_of_best[name] for name in ("test_error", "n"))
    return [
        f"Chosen by validation. Test error of the first of them, which had no part in it: "
        f"{100 * error:.2f} %, n={n}."
    ]


def report(
    rounds: Sequence[Round], base: str, overrides: Sequence[str], workdir: Path
) -> tuple[list[Table], str | None]:
    """Returns a table for each stage, and the command of the best trial of the last one.

    Args:
        rounds: the stages that were run.
        base: path of the config file, with its word; empty where the search builds its own base.
        overrides: of the base, as the command line had them.
        workdir: directory of the search.

    Returns:
        Tables, and the command, or the overrides alone where there is no file of the base; None in
        its place where all trials of the last stage diverged.
    """
    tables = [best_table(rounds, number) for number, r in enumerate(rounds, start=1) if r.ranked()]
    if not rounds or not rounds[-1].ranked():
        return tables, None
    best, epochs = rounds[-1].ranked()[0], float(rounds[-1].stage.epochs)
    chosen = override_line(overrides, {**best.values, "train.epochs": epochs})
    if not base:
        return tables, chosen
    head = shlex.join(["python", "-m", "experiments.train", f"--config={base}"])
    return tables, f"{head} {chosen} {shlex.quote(f'--workdir={workdir}/best')}"


def override_line(overrides: Sequence[str], values: Mapping[str, Any]) -> str:
    """Returns overrides as a shell takes them: those of a command line, then some values.

    Args:
        overrides: of the base, as the command line had them.
        values: dotted key -> value.
    """
    chosen = [f"--config.{key}={text_of(value)}" for key, value in values.items()]
    return shlex.join([*overrides, *chosen])


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
