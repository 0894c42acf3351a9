"""Runs compared example by example, where their predictions were kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from cnn_jax.ablation.table import Table
from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.paired import paired
from cnn_jax.evaluation.predictions import load_predictions

PREDICTIONS = "predictions.npz"  # of a run directory, by --save_predictions of evaluate


def paired_table(runs: Mapping[str, Path]) -> Table | None:
    """Returns each pair of runs on the same examples, or None where fewer than two have kept them.

    Args:
        runs: name -> run directory.

    Raises:
        InputError: a file of predictions is damaged.
    """
    files = {name: path / PREDICTIONS for name, path in runs.items()}
    kept = {name: load_predictions(file) for name, file in files.items() if file.is_file()}
    rows, notes = [], []
    for (one, first), (other, second) in itertools.combinations(kept.items(), 2):
        try:
            pair = paired(first, second)
        except InputError as error:
            notes.append(f"Not compared: {one} and {other}; {error}.")
            continue
        low, high = (100 * end for end in pair.interval)
        rows.append(
            (
                *(one, other, str(pair.n), str(pair.first), str(pair.second)),
                f"{100 * pair.difference:+.2f} ({low:+.2f} to {high:+.2f})",
                "<0.001" if pair.p < 0.001 else f"{pair.p:.3f}",
            )
        )
    if not rows and not notes:
        return None
    notes.insert(
        0,
        "Difference: error of b less that of a, points, with the 95 % interval of matched pairs "
        "(Agresti & Min 2005); p: McNemar's exact test. Both know nothing of other seeds.",
    )
    return Table(
        f"The same examples, by {PREDICTIONS} of each run",
        ("a", "b", "n", "a alone right", "b alone right", "difference", "p"),
        tuple(rows),
        words=2,
        notes=tuple(notes),
    )
