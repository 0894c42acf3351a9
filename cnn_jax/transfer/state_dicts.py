"""State dicts in files: plain arrays under the names that PyTorch gives them."""

from __future__ import annotations

import zipfile
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


def load(path: str | Path) -> StateDict:
    """Reads a state dict; see `load_described`."""
    return load_described(path).arrays


def load_described(
    path: str | Path,
    expected: Collection[str] | None = None,
    averaged: bool = False,
    flag: str = "--weights=",
) -> Described:
    """Reads a state dict, and says what was taken of the file.

    Args:
        path: a file of `torch.save`, safetensors or npz, whatever it is called: a state dict, a
            checkpoint that holds one, or a pickled module. Nothing is run, and nothing but numpy
            needed.
        expected: the names that the network would take, see `expected_names`; None: not known.
            Of several state dicts and prefixes those are taken that give most of them.
        averaged: whether running averages are asked for, where the file has both.
        flag: what stands before the path in messages.

    Raises:
        InputError: there is no such file, it is damaged, or it holds something else.
    """
    path = Path(path)
    try:
        tree = read_tree(path)
    except InputError as error:
        raise InputError([f"{flag}{text}" for text in error.problems]) from error
    try:
        weights = find_weights(tree, expected, averaged)
    except InputError as error:
        raise InputError([f"{flag}{path}: {text}" for text in error.problems]) from error
    try:
        arrays = {name: _array(numbers) for name, numbers in weights.numbers.items()}
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"{flag}{path} cannot be read: {brief(str(error))}") from error
    _check_entries(f"{flag}{path}", arrays)
    return Described(arrays, weights.describe())


def _array(numbers: Numbers) -> np.ndarray:
    return numbers if isinstance(numbers, np.ndarray) else numbers.array()


def _check_entries(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Checks that values are numbers.

    Raises:
        InputError: one is not; the first is named.
    """
    for name, array in arrays.items():
        if array.dtype.kind not in NUMBERS:
            raise InputError(f"{path}: {name} holds {array.dtype}; allowed: real numbers")


NUMBERS: Final = "fiu"  # kinds of dtypes: floats and integers
