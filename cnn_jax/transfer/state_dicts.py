"""State dicts in files: plain arrays under the names that PyTorch gives them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.npz import check_expansion, load_npz

StateDict = dict[str, np.ndarray]


def load(path: str | Path) -> StateDict:
    """Reads a state dict.

    Args:
        path: `.pth` or `.pt` (needs torch; only tensors are unpickled), `.safetensors` or `.npz`.

    Returns:
        Arrays by name, such as `features.0.weight`. A prefix `module.` that all names share is
        taken off, and of a training checkpoint the entry `state_dict` is taken.

    Raises:
        InputError: there is no such file, it is damaged, or it holds something else.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise InputError(f"--weights={path}: unknown format{hint(path.suffix, READERS)}")
    if not path.is_file():
        raise InputError(f"--weights={path}: no such file")
    try:
        arrays = READERS[path.suffix](path)
    except InputError:
        raise
    except Exception as error:  # whatever the libraries make of a damaged file
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(f"--weights={path} cannot be read: {first}") from error
    _check_entries(path, arrays)
    if arrays and all(name.startswith(PARALLEL) for name in arrays):
        arrays = {name.removeprefix(PARALLEL): array for name, array in arrays.items()}
    return arrays


def _check_entries(path: Path, arrays: dict[Any, Any]) -> None:
    """Checks that names are words and values numbers.

    Raises:
        InputError: one is not; the first is named.
    """
    for name, array in arrays.items():
        if not isinstance(name, str):
            raise InputError(
                f"--weights={path}: the entry {name!r} is no name of a layer; allowed: names such "
                "as features.0.weight"
            )
        dtype = np.asarray(array).dtype
        if dtype.kind not in NUMBERS and dtype.name not in NARROW:
            raise InputError(f"--weights={path}: {name} holds {dtype}; allowed: real numbers")


def _torch(path: Path) -> StateDict:
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"--weights={path} needs the package torch: pip install 'cnn_jax[parity]'; "
            ".safetensors and .npz do not"
        ) from error
    if zipfile.is_zipfile(path):  # older files are none
        check_expansion(path)
    tensors: Any = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(tensors, dict):
        tensors = tensors.get("state_dict", tensors)
    if not isinstance(tensors, dict) or not all(map(torch.is_tensor, tensors.values())):
        raise InputError(f"--weights={path}: a dict of tensors is needed")
    return {
        # numpy has no bfloat16.
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        for name, tensor in tensors.items()
    }


def _safetensors(path: Path) -> StateDict:
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise InputError(
            f"--weights={path} needs the package safetensors: pip install 'cnn_jax[parity]'; "
            ".npz needs nothing"
        ) from error
    return load_file(path)


def _npz(path: Path) -> StateDict:
    return load_npz(path)


NUMBERS: Final = "fiu"  # kinds of dtypes: floats and integers
NARROW: Final = ("bfloat16",)  # which numpy does not know as a float
PARALLEL: Final = "module."  # what torch.nn.DataParallel puts before every name
READERS: Final[dict[str, Callable[[Path], StateDict]]] = {
    ".pth": _torch,
    ".pt": _torch,
    ".safetensors": _safetensors,
    ".npz": _npz,
}
