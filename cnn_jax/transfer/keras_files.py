"""Arrays by name out of the files that Keras writes: HDF5, which needs the package h5py."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.npz import ALWAYS_ALLOWED, MOST_EXPANSION, check_expansion

HDF5: Final = b"\x89HDF\r\n\x1a\n"  # how such a file begins
KNOWN: Final = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
TELLING: Final = ("kernel", "gamma", "beta", "moving_mean", "moving_variance")
OLD: Final = {"W": "kernel", "b": "bias"}  # block1_conv1_W_1, of the oldest files
KERAS_WEIGHTS: Final = "model.weights.h5"  # within a `.keras` archive
# The variables of a layer have numbers alone in files of Keras 3; a layer has that many.
BY_COUNT: Final = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    3: ("beta", "moving_mean", "moving_variance"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Reads a file of weights, or of a model, in HDF5.

    Args:
        path: as `save_weights` or `save` of any Keras since 1 has written it.

    Returns:
        Arrays by name, see `plain`.

    Raises:
        InputError: h5py is missing, or an array lies elsewhere or expands beyond all measure.
    """
    return _read(path, path)


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Reads the weights out of a `.keras` archive; returns and raises as `read_hdf5`."""
    check_expansion(path)
    with zipfile.ZipFile(path) as archive:
        return _read(path, io.BytesIO(archive.read(KERAS_WEIGHTS)))


def _read(path: Path, source: Path | IO[bytes]) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            f"{path} is a file of Keras, which needs the package h5py: pip install "
            "'cnn_jax[keras]'; .npz and .safetensors with the names of Keras do not"
        ) from error
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(source, "r") as file:

        def visit(name: str, node: Any) -> None:
            if not isinstance(node, h5py.Dataset) or name.startswith("optimizer"):
                return
            if node.external or node.is_virtual:
                raise InputError(f"{path}: {name} lies in another file")
            if node.nbytes > max(ALWAYS_ALLOWED, MOST_EXPANSION * path.stat().st_size):
                raise InputError(f"{path}: {name} would expand to {node.nbytes:,} bytes")
            group, _, last = name.rpartition("/")
            if group.endswith("/vars") and last.isdigit():
                variables = file[group]
                layer = variables.attrs.get("name", group.split("/")[-2])
                leaves = BY_COUNT.get(len(variables), ())
                if int(last) < len(leaves):
                    name = f"{layer}/{leaves[int(last)]}"
            arrays[name] = np.asarray(node)

        file.visititems(visit)
    return plain(arrays)


def plain(state_dict: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays of Keras under names such as `conv1_bn/moving_mean`; others as they are.

    `model_weights/conv1_bn/conv1_bn/moving_mean:0` is what older files call it. What batch norm
    adds, `beta`, becomes `bias`.
    """
    parts = {name: re.split(r"[/.]", name.removesuffix(":0")) for name in state_dict}
    if not any(_leaf(split[-1]) in TELLING for split in parts.values()):
        return state_dict
    return {_plain_name(parts[name], name): array for name, array in state_dict.items()}


def _plain_name(split: Sequence[str], name: str) -> str:
    leaf = _leaf(split[-1])
    if len(split) < 2 or leaf not in KNOWN:
        return name
    return f"{split[-2]}/{leaf.replace('beta', 'bias')}"


def _leaf(word: str) -> str:
    match = re.fullmatch(r".*_(W|b)_1", word)
    return OLD[match[1]] if match else word
