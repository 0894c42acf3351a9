"""Whether all processes evaluate the same network on the same data."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.data.dataset import Dataset
from cnn_jax.devices.distributed import alone, check_equal, short_digest
from cnn_jax.inference.restored import Restored
from cnn_jax.storage.run_directory import origin
from cnn_jax.training.same_run import code_digest, contents_of


def check_same_network(restored: Restored, dataset: Dataset, split_name: str) -> None:
    """Checks that all processes have the same weights, code and examples; all must call.

    Args:
        restored: the network.
        dataset: its data.
        split_name: of the split.

    Raises:
        InputError: on all of them, where they do not.
    """
    if alone():
        return
    arrays = jax.tree.leaves((restored.params, restored.batch_stats, dict(restored.averaged)))
    digests = [short_digest(np.ascontiguousarray(np.asarray(array)).data) for array in arrays]
    split = dataset.split(split_name)
    facts: dict[str, Any] = {
        "step": restored.step,
        "config": config_hash(to_tree(restored.config)),
        "SHA-256 of the weights": short_digest("".join(digests).encode()),
        "SHA-256 of the code of cnn_jax": code_digest(),
        f"examples of {split_name}": len(split),
    }
    facts |= {f"version of {name}": version for name, version in origin()["versions"].items()}
    check_equal("what to evaluate", facts | contents_of(split_name, split))
