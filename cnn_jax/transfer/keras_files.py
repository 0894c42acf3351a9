"""Arrays by name out of the files that Keras writes: HDF5, which needs the package h5py."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from cnn_jax.config.problems import InputError

HDF5: Final = b"\x89HDF\r\n\x1a\n"  # how such a file begins
WEIGHTS: Final = "model.weights.h5"  # within a `.keras` archive
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
        Arrays under names such as `conv1_bn/moving_mean`, those of older files behind the names of
        groups.

    Raises:
        InputError: h5py is missing.
    """
    return _read(path, path)


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Reads the weights out of a `.keras` archive; returns and raises as `read_hdf5`."""
    with zipfile.ZipFile(path) as archive:
        return _read(path, io.BytesIO(archive.read(WEIGHTS)))


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
            group, _, last = name.rpartition("/")
            if group.endswith("/vars") and last.isdigit():
                variables = file[group]
                layer = variables.attrs.get("name", group.split("/")[-2])
                leaves = BY_COUNT.get(len(variables), ())
                if int(last) < len(leaves):
                    name = f"{layer}/{leaves[int(last)]}"
            arrays[name] = np.asarray(node)

        file.visititems(visit)
    return arrays
