"""The weights of a checkpoint as plain arrays, in a file that needs nothing of cnn_jax."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, Any, Final

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from cnn_jax import files
from cnn_jax.config.problems import InputError, hint
from cnn_jax.storage.checkpoints import Checkpoints

Arrays = dict[str, np.ndarray]
EXPORTED: Final = ("params", "batch_stats")
AVERAGES: Final = "averaged_params"  # holds the averages of both


def export(
    workdir: str | Path,
    which: str,
    output: str | Path,
    force: bool = False,
    averaged: bool = False,
) -> Arrays:
    """Writes the weights of a checkpoint into one file, in one step: all of it or nothing.

    Args:
        workdir: the run directory.
        which: `latest`, `best` (on validation) or a step.
        output: a new file, `.npz` or `.safetensors`.
        force: whether an existing file is replaced.
        averaged: whether the averaged parameters stand in for the last ones.

    Returns:
        What was written, as `read_weights`.

    Raises:
        InputError: there is no such checkpoint, it has no averaged parameters, or the file cannot
            be written.
    """
    path = Path(output)
    write = _writer(path, force)
    with closing(Checkpoints(Path(workdir), read_only=True)) as checkpoints:
        arrays, _ = checkpoints.reading(
            which, lambda step: read_weights(checkpoints, step, averaged)
        )
    try:
        needed = sum(array.nbytes for array in arrays.values())
        files.replace(path, lambda file: write(file, arrays), needed)
    except InputError as error:
        raise InputError([f"--output={text}" for text in error.problems]) from error
    return arrays


def read_weights(
    checkpoints: Checkpoints, step: int, averaged: bool = False
) -> tuple[Arrays, dict[str, Any]]:
    """Returns the parameters and running statistics of a checkpoint, and its record.

    Args:
        checkpoints: of a run directory; whatever devices wrote them, the first one here reads them.
        step: of the checkpoint.
        averaged: whether the averaged parameters stand in for the last ones.

    Returns:
        Arrays by name, such as `params/C1/kernel` and `batch_stats/C1_bn/mean`, in the dtype that
        they were trained in; and the record.

    Raises:
        InputError: it was written in another format, a file is damaged, or no averages were kept.
    """
    # Without x64, jax would round what a float64 run has written.
    with jax.enable_x64(True):
        tree, record = checkpoints.read_arrays(step)
    if averaged and not tree.get(AVERAGES):
        raise InputError("no averaged parameters: config.optim.averaging was none")
    source = tree[AVERAGES] if averaged else tree
    # An empty tree is not stored among the averages.
    leaves = flatten_dict({name: source.get(name, {}) for name in EXPORTED}, sep="/")
    return {name: np.asarray(leaf, order="C") for name, leaf in leaves.items()}, record


def _writer(path: Path, force: bool) -> Callable[[IO[bytes], Arrays], None]:
    """What writes the format of a file that may be written."""
    if path.suffix not in WRITERS:
        raise InputError(f"--output={path}: unknown format{hint(path.suffix, WRITERS)}")
    if path.exists() and not force:
        raise InputError(f"--output={path} exists; --force replaces it")
    return WRITERS[path.suffix]()


def _npz() -> Callable[[IO[bytes], Arrays], None]:
    return lambda file, arrays: np.savez(file, **arrays)  # type: ignore[arg-type]


def _safetensors() -> Callable[[IO[bytes], Arrays], None]:
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise InputError(
            "--output=*.safetensors needs the package safetensors: pip install 'cnn_jax[parity]'; "
            ".npz needs nothing"
        ) from error

    def write(file: IO[bytes], arrays: Arrays) -> None:
        file.write(save(arrays))

    return write


WRITERS: Final = {".npz": _npz, ".safetensors": _safetensors}
