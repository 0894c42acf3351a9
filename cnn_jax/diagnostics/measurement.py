"""The errors of a trained network on the test split, by the protocols of the published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.diagnostics.published_rows import CENTRE, Shown, recipe_of, rows_for
from cnn_jax.evaluation.exact import evaluate_shared
from cnn_jax.inference.multi_view import predict_split
from cnn_jax.inference.restored import Restored, restore
from cnn_jax.models.facts import METRICS


def measure(restored: Restored, batch_size: int = 256) -> dict[str, Any]:
    """Returns the result of a trained network on the test split of its config."""
    split = sources.dataset_for(restored.config, resident=("test",)).split("test")
    result = evaluate_shared(restored.count_batch(), split, batch_size).to_tree()
    if restored.averaged:
        beside = evaluate_shared(restored.count_batch(averaged=True), split, batch_size).to_tree()
        result |= {f"averaged_{m}_error": beside[f"{m}_error"] for m in METRICS}
    return result | {"step": restored.step}


def protocols_needed(config_file: str, config: Config, dataset: str = "") -> list[Shown]:
    """Returns the protocols beyond one view by which the published figures of a config were made.

    Args:
        config_file: as `--config` has it.
        config: the whole config, validated.
        dataset: the data, as TFDS names it; empty: by its source.
    """
    rows = rows_for(recipe_of(config_file), dataset or sources.dataset_name(config.data))
    needed = dict.fromkeys(row.shown for row in rows if row.shown.measurable)
    return [shown for shown in needed if shown.protocol != CENTRE]


def measure_others(
    config_file: str,
    config: Config,
    workdir: str | Path,
    restored: Restored | None,
    dataset: str = "",
) -> dict[str, dict[str, Any]]:
    """Returns name of a protocol -> result, for the protocols that `protocols_needed` names.

    Args:
        config_file: as `--config` has it.
        config: the whole config, validated.
        workdir: a finished run, whose newest checkpoint is taken if `restored` is None.
        restored: the network.
        dataset: the data, as TFDS names it; empty: by its source.
    """
    results = {}
    for shown in protocols_needed(config_file, config, dataset):
        restored = restored or restore(workdir)
        results[str(shown)] = measure_by(restored, shown, config.evaluation.batch_size)
    return results


def measure_by(restored: Restored, shown: Shown, batch_size: int = 256) -> dict[str, Any]:
    """Returns the result of a trained network by a protocol, of averaged parameters if there are.

    Where the network cannot be evaluated so, `problem` says why and there are no errors.
    """
    arguments = {"scales": shown.scales} if shown.scales else {}
    try:
        predictions = predict_split(
            restored,
            "test",
            shown.protocol,
            arguments,
            batch_size,
            averaged=bool(restored.averaged),
        )
    except InputError as error:
        return {"problem": str(error)}
    return predictions.evaluation().to_tree()
