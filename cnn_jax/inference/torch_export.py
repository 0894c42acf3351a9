"""The weights of a run in a file, for PyTorch under the names of its own models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.config.saved import complete
from cnn_jax.config.validate import validate
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.storage.export import Arrays, export, format_of
from cnn_jax.training.run import network_of
from cnn_jax.transfer.torch_archive import STORAGES
from cnn_jax.transfer.torch_weights import state_dict_of


def export_weights(
    workdir: str | Path,
    which: str,
    output: str | Path,
    force: bool = False,
    averaged: bool = False,
    form: str | None = None,
) -> tuple[Arrays, str]:
    """Writes the weights of a checkpoint into a file; as `storage.export.export`.

    Args:
        workdir: the run directory.
        which: `latest`, `best` (on validation) or a step.
        output: a new file.
        force: whether an existing file is replaced.
        averaged: whether the averaged parameters stand in for the last ones.
        form: `npz`, `safetensors` or `torch`; None: as the suffix says.

    Returns:
        What was written, and words on whose names they are; none where they are those here.

    Raises:
        InputError: as `export`.
    """
    if format_of(output, form) != "torch":
        return export(workdir, which, output, force, averaged, form), ""
    said = ""

    def renamed(arrays: Arrays, record: dict[str, Any], step: int) -> Arrays:
        nonlocal said
        state_dict, said = _state_dict(arrays, record, step)
        return state_dict

    arrays = export(workdir, which, output, force, averaged, form, renamed)
    return arrays, f", named as in {said}"


def _state_dict(arrays: Arrays, record: dict[str, Any], step: int) -> tuple[Arrays, str]:
    """Returns a state dict out of a checkpoint, and whose names it has."""
    config = validate(complete(record["config"])[0])
    preprocessing = Preprocessing.from_tree(record["preprocessing"])
    model = network_of(config, len(preprocessing.class_names))
    size = (preprocessing.height, preprocessing.width, preprocessing.channels)
    by_path = {tuple(name.split("/")): array for name, array in arrays.items()}
    state_dict, naming = state_dict_of(by_path, model, size, batches=step)
    # What PyTorch's own files hold; bfloat16 is exact in float32.
    known = {
        name: array if array.dtype.name in STORAGES else array.astype(np.float32)
        for name, array in state_dict.items()
    }
    return known, naming.said
