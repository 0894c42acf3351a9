"""A file of weights that a run begins with: of this project, or a state dict from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnn_jax.config.problems import InputError
from cnn_jax.config.published_preprocessing import PUBLISHED
from cnn_jax.config.schema import Config
from cnn_jax.models import Network
from cnn_jax.storage.export import Arrays
from cnn_jax.transfer.agreement import overrides, preprocessing_differences
from cnn_jax.transfer.layouts import Size
from cnn_jax.transfer.partial_weights import is_ours, under_our_names
from cnn_jax.transfer.recognition import Recognised, recognise
from cnn_jax.transfer.state_dicts import WeightsFile
from cnn_jax.transfer.torch_weights import expected_names

KEY = "config.init_from.weights"


class Opened(NamedTuple):
    """The arrays of a file.

    Attributes:
        arrays: by the names here, such as `params/conv1/kernel`; what has none keeps its own.
        notices: what the user is told of the file, a line each.
    """

    arrays: Arrays
    notices: tuple[str, ...] = ()


def open_weights(path: Path, config: Config, model: Network, image_size: Size) -> Opened:
    """Reads a file of weights to begin with.

    Args:
        path: a file that `export` has written, or a state dict, see `state_dicts.WeightsFile`.
        config: of the run.
        model: its network, unbound.
        image_size: (H, W, C) of its images.

    Raises:
        InputError: the file cannot be read, or belongs to a network that computes something else.
    """
    try:
        file = WeightsFile(path, f"{KEY} = ")
        if is_ours(arrays := file.taken().arrays):
            return Opened(arrays)
        taken = file.taken(expected_names(model, image_size))
        words = (taken.words,) if taken.words else ()
        return Opened(
            under_our_names(taken.arrays, model, image_size),
            words + _notices(path, recognise(taken.arrays, path), config),
        )
    except InputError as error:
        raise InputError([_named(path, text) for text in error.problems]) from error


def _notices(path: Path, seen: Recognised | None, config: Config) -> tuple[str, ...]:
    if seen is None:
        return ()
    known = f"{seen.file}, known by its SHA-256" if seen.file else f"{seen.title} by its names"
    notices = [f"{path.name} is {known}: {seen.describe()}"]
    if differences := preprocessing_differences(seen, config):
        mends = " ".join(overrides(PUBLISHED[seen.preprocessing], config))
        notices += [*differences, f"as published by {mends}"]
    return tuple(notices)


def _named(path: Path, text: str) -> str:
    """A message with the key before it, once."""
    return text if text.startswith(KEY) else f"{KEY} = {path}: {text}"
