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
from cnn_jax.transfer.torch_archive import write_state_dict

Arrays = dict[str, np.ndarray]
EXPORTED: Final = ("params", "batch_stats")
# Of arrays as `read_weights` returns them, the record of their checkpoint and its step.
Renamed = Callable[[Arrays, dict[str, Any], int], Arrays]
AVERAGES: Final = "averaged_params"  # holds the averages of both


def export(
    workdir: str | Path,
    which: str,
    output: str | Path,
    force: bool = False,
    averaged: bool = False,
    form: str | None = None,
    renamed: Renamed | None = None,
) -> Arrays:
    """Writes the weights of a checkpoint into one file, in one step: all of it or nothing.

    Args:
        workdir: the run directory.
        which: `latest`, `best` (on validation) or a step.
        output: a new file.
        force: whether an existing file is replaced.
        averaged: whether the averaged parameters stand in for the last ones.
        form: `npz`, `safetensors` or `torch`; None: as the suffix says, see `SUFFIXES`.
        renamed: gives the arrays other names and layouts; None: as `read_weights`.

    Returns:
        What was written.

    Raises:
        InputError: there is no such checkpoint, it has no averaged parameters, or the file cannot
            be written.
    """
    path = Path(output)
    write = _writer(path, force, form)
    with closing(Checkpoints(Path(workdir), read_only=True)) as checkpoints:
        step, (arrays, record) = checkpoints.reading(
            which, lambda step: (step, read_weights(checkpoints, step, averaged))
        )
    if renamed is not None:
        arrays = renamed(arrays, record, step)
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


def format_of(output: str | Path, form: str | None = None) -> str:
    """Returns the format of a file that is written.

    Args:
        output: the file.
        form: as it was asked for; None: as the suffix says.

    Raises:
        InputError: there is no such format, or no such suffix.
    """
    suffix = Path(output).suffix
    if form is not None and form not in WRITERS:
        raise InputError(f"--format={form}: unknown format{hint(form, WRITERS)}")
    if form is None and suffix not in SUFFIXES:
        raise InputError(
            f"--output={output}: unknown format{hint(suffix, SUFFIXES)}; another suffix by "
            f"--format={'|'.join(WRITERS)}"
        )
    return SUFFIXES[suffix] if form is None else form


def _writer(path: Path, force: bool, form: str | None) -> Callable[[IO[bytes], Arrays], None]:
    """What writes the format of a file that may be written."""
    form = format_of(path, form)
    files.check_output("--output", path)
    if path.exists() and not force:
        raise InputError(f"--output={path} exists; --force replaces it")
    return WRITERS[form]()


def _npz() -> Callable[[IO[bytes], Arrays], None]:
    return lambda file, arrays: np.savez(file, **arrays)  # type: ignore[arg-type]


def _safetensors() -> Callable[[IO[bytes], Arrays], None]:
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise InputError(
            "the format safetensors needs the package safetensors: pip install 'cnn_jax[parity]'; "
            "npz and torch need nothing"
        ) from error

    def write(file: IO[bytes], arrays: Arrays) -> None:
        file.write(save(arrays))

    return write


def _torch() -> Callable[[IO[bytes], Arrays], None]:
    return write_state_dict


WRITERS: Final = {"npz": _npz, "safetensors": _safetensors, "torch": _torch}
SUFFIXES: Final = {
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".pth": "torch",
    ".pt": "torch",
}
