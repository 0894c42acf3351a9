"""State dicts in files: plain arrays under the names that PyTorch gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cnn_jax.config.problems import InputError, brief
from cnn_jax.transfer.file_kinds import read_tree
from cnn_jax.transfer.wrappings import Numbers, find_weights

StateDict = dict[str, np.ndarray]


@dataclass(frozen=True)
class Described:
    """A state dict out of a file.

    Attributes:
        arrays: by name, such as `features.0.weight`.
        words: a line that says which part of the file it is, which prefix is off its names, and
            what was left aside; empty where the file is nothing but a state dict.
    """

    arrays: StateDict
    words: str


class WeightsFile:
    """A file of `torch.save`, safetensors, npz or Keras, whatever it is called.

    It is a state dict, a checkpoint that holds one, or a pickled module. Nothing in it is run, and
    nothing but numpy is needed, for HDF5 h5py. Numbers are read when a part of it is taken.
    """

    def __init__(self, path: str | Path, flag: str = "--weights="):
        """Opens a file.

        Args:
            path: of the file.
            flag: what stands before the path in messages.

        Raises:
            InputError: there is no such file, it is damaged, or it is something else.
        """
        self._named = f"{flag}{path}"
        try:
            self._tree = read_tree(Path(path))
        except InputError as error:
            raise InputError([f"{flag}{text}" for text in error.problems]) from error

    def taken(self, expected: Collection[str] | None = None, averaged: bool = False) -> Described:
        """Returns the state dict in the file, and says what was taken of it.

        Args:
            expected: the names that the network would take, see `expected_names`; None: not known.
                Of several state dicts and prefixes those are taken that give most of them.
            averaged: whether running averages are asked for, where the file has both.

        Raises:
            InputError: there are no weights in it, or they are no numbers, or it is damaged.
        """
        try:
            weights = find_weights(self._tree, expected, averaged)
            arrays = {name: _array(numbers) for name, numbers in weights.numbers.items()}
            _check_entries(arrays)
        except InputError as error:
            raise InputError([f"{self._named}: {text}" for text in error.problems]) from error
        except Exception as error:  # whatever zipfile and zlib make of damaged numbers
            first = (str(error).strip() or repr(error)).splitlines()[0]
            raise InputError(f"{self._named} cannot be read: {brief(first)}") from error
        return Described(arrays, weights.describe())


def load(path: str | Path) -> StateDict:
    """Returns the state dict in a file; raises as `WeightsFile`."""
    return WeightsFile(path).taken().arrays


def _array(numbers: Numbers) -> np.ndarray:
    return numbers if isinstance(numbers, np.ndarray) else numbers.array()


def _check_entries(arrays: Mapping[str, np.ndarray]) -> None:
    """Checks that values are numbers.

    Raises:
        InputError: one is not; the first is named.
    """
    for name, array in arrays.items():
        if array.dtype.kind not in NUMBERS:
            raise InputError(f"{name} holds {array.dtype}; allowed: real numbers")


NUMBERS: Final = "fiu"  # kinds of dtypes: floats and integers
