"""The sources by name, and how a config becomes a dataset."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data import cropping, known_sets, lying_here
from cnn_jax.data.dataset import Dataset, carve_validation, check_no_class_emptied
from cnn_jax.data.digits import digits
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import read_manifest
from cnn_jax.data.official import (
    cifar10,
    cifar100,
    emnist,
    fashion_mnist,
    kmnist,
    mnist,
    svhn,
)
from cnn_jax.data.store import store
from cnn_jax.data.synthetic import synthetic
from cnn_jax.data.tfds import prepared_directory, tfds

SOURCES: dict[str, Callable[..., Dataset]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "digits": digits,
    "emnist": emnist,
    "fashion_mnist": fashion_mnist,
    "folder": folder,
    "kmnist": kmnist,
    "mnist": mnist,
    "store": store,
    "svhn": svhn,
    "synthetic": synthetic,
    "tfds": tfds,
}
# Source of official files -> the set as TFDS names it.
OFFICIAL = {
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "emnist": "emnist",
    "fashion_mnist": "fashion_mnist",
    "kmnist": "kmnist",
    "mnist": "mnist",
    "svhn": "svhn_cropped",
}
WITHOUT_NAME = ("folder", "store")  # what these hold says `config.data.holds`
# These are told `config.data.directory`.
ON_DISK = frozenset({"folder", "store", "tfds", *OFFICIAL})


def dataset_for(config: Config, resident: Collection[str] = cropping.SPLITS) -> Dataset:
    """Returns the dataset of a config, of images as the network sees them.

    Args:
        config: validated.
        resident: the splits that may be kept in memory, if they are small.

    Raises:
        InputError: the source cannot be read, or the crops do not fit its images.
    """
    return cropping.cropped(load(config.data), config, resident)


def load(data: Any) -> Dataset:
    """Returns the dataset that the section `data` of a config describes, as its source holds it.

    Args:
        data: `config.data`, validated.

    Raises:
        InputError: the source or its manifest cannot be read, or more training examples are asked
            for than there are.
    """
    dataset = _made(data).checked_as_read()
    manifest_of(data)  # a damaged one is refused before a run begins, and not at its end
    return divided(dataset, data)


def divided(dataset: Dataset, data: Any) -> Dataset:
    """Returns a source's dataset with validation held out, and no more of train than is asked for.

    Args:
        dataset: as the source gives it.
        data: `config.data`, validated.

    Raises:
        InputError: there are fewer training examples, or a class would have none.
    """
    dataset = carve_validation(
        dataset, data.validation_folds, data.validation_fold, data.validation_rule
    )
    wanted = data.train_examples
    if wanted is None:
        return dataset
    if wanted > len(dataset.train):
        raise InputError(
            f"config.data.train_examples = {wanted}: {data.source} has {len(dataset.train)} "
            "after validation is held out"
        )
    first = dataset.train.take(np.arange(wanted))
    check_no_class_emptied(
        dataset,
        first,
        f"config.data.train_examples = {wanted} takes the first, and leaves out",
        "more examples, or none given",
    )
    return replace(dataset, train=first)


def _made(data: Any) -> Dataset:
    """What the source gives; an error says which source the directory is for, if it is another."""
    where = (data.directory,) if data.source in ON_DISK else ()
    try:
        dataset = SOURCES[data.source](*where, **data.kwargs.to_dict())
    except InputError as error:
        if not (told := lying_here.told(data.directory, data.source)):
            raise
        raise InputError([*error.problems[:-1], f"{error.problems[-1]}. {told}"]) from error
    if data.source in WITHOUT_NAME and not dataset_name(data):
        return replace(dataset, notices=(*dataset.notices, *known_sets.said(dataset)))
    return dataset


def manifest_of(data: Any) -> dict[str, Any] | None:
    """Returns the manifest of prepared data, None where there is none.

    Args:
        data: `config.data`, validated.

    Raises:
        InputError: it is damaged.
    """
    if data.directory is None or data.source not in ("store", "tfds"):
        return None
    directory = Path(data.directory)
    if data.source == "tfds":
        directory = prepared_directory(data.directory, data.kwargs.name)
    return read_manifest(directory)


def fingerprint(data: Any) -> str | None:
    """Returns the fingerprint of prepared data, out of its manifest; None where there is none.

    Args:
        data: `config.data`, validated.
    """
    manifest = manifest_of(data)
    return None if manifest is None else manifest["fingerprint"]


def dataset_name(data: Any) -> str:
    """Returns the name by which TFDS knows the data; empty where it is not known.

    Args:
        data: `config.data`, validated.
    """
    if data.holds is not None:
        return str(data.holds)
    if data.source == "tfds":
        return str(data.kwargs.name)
    if data.source in OFFICIAL:
        return OFFICIAL[data.source] if data.kwargs.checked else ""
    manifest = manifest_of(data) or {}
    return str(manifest.get("dataset", ""))
