"""What a checkpoint says of itself beside its arrays."""

from __future__ import annotations

from typing import Any

from cnn_jax.config.identity import to_tree
from cnn_jax.data import sources
from cnn_jax.training.run import Run
from cnn_jax.training.run_directory import origin
from cnn_jax.training.same_data import examples_of


def checkpoint_record(run: Run) -> dict[str, Any]:
    """Returns config, preprocessing, the shape, number and identity of the data, and versions."""
    return {
        "config": to_tree(run.config),
        "preprocessing": run.preprocessing.to_tree(),
        "image_shape": list(run.dataset.image_shape),
        "examples": examples_of(run.dataset),
        "fingerprint": sources.fingerprint(run.config.data),
    } | origin()
