"""Data that is not there: its sizes and classes, where they are all that is asked for.

A network with weights out of a file predicts without the images that it was trained on, and what a
run on a well-known set would need follows from how many images that has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data.cropping import cropped, may_be_kept
from cnn_jax.data.dataset import AnySplit, Dataset, Split, unnamed
from cnn_jax.data.known_sets import KNOWN, Known
from cnn_jax.data.records import Record
from cnn_jax.data.sources import OFFICIAL, divided
from cnn_jax.data.streams import whole_split


class AbsentRecords:
    """Examples that cannot be read, for they are not there.

    Args:
        count: how many there would be.
        channels: of an image.
        side: height and width of every image, which is then black; None: none can be shown.
    """

    labels = None

    def __init__(self, count: int, channels: int, side: int | None):
        self.channels = channels
        self._count, self._side = count, side

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Record:
        if self._side is None:
            raise InputError(
                "the images are needed, and config.data.directory is unset: the folder in which "
                "they are prepared"
            )
        image = np.zeros((self._side, self._side, self.channels), np.uint8)
        return Record(image, 0, f"example {index}")


def known_data(config: Config) -> Dataset | None:
    """Returns the sizes of a well-known set in place of it, where no directory is given.

    Args:
        config: validated.

    Returns:
        Splits of the right lengths, whose images are black or cannot be read; None where the sizes
        are not known, or the data has a place.
    """
    data = config.data
    if data.source not in ("tfds", *OFFICIAL) or data.directory is not None:
        return None
    name = OFFICIAL.get(data.source) or data.kwargs.get("name", "").partition("/")[0]
    known = KNOWN.get(name)
    sliced = any("[" in data.kwargs.get(split, "") for split in ("train", "validation", "test"))
    if known is None or sliced or data.kwargs.get("validation"):
        return None
    return absent_data(config, known)


def sizes_for(config: Config, classes: int) -> Known:
    """Returns the sizes of a set of so many RGB classes, of which nothing else need be known.

    Args:
        config: validated; where it names a well-known set of as many classes, its sizes are told.
        classes: how many.
    """
    known = KNOWN.get(config.data.kwargs.get("name", ""))
    if known is not None and known.classes == classes:
        return known
    return Known(max(config.train.batch_size, 2 * config.data.validation_folds), 1, classes)


def absent_data(config: Config, known: Known) -> Dataset:
    """Returns sizes and classes in place of a set.

    Args:
        config: validated; its validation is held out, its crops say how large images are.
        known: the sizes.

    Raises:
        InputError: the crops keep the size of the images, which is not known.
    """
    train, test = (
        whole_split(AbsentRecords(count, known.channels, known.side))
        for count in (known.train, known.test)
    )
    whole = Dataset(train, train.take(np.arange(0)), test, unnamed(known.classes))
    dataset = cropped(divided(whole, config.data), config, resident=())
    parts: dict[str, Any] = {
        name: _kept(split, name == "train", 1e6 * config.data.resident_megabytes)
        for name, split in dataset.splits.items()
    }
    return replace(dataset, **parts) if known.side else dataset


def _kept(split: AnySplit, train: bool, limit: float) -> AnySplit:
    """A split that would be kept in memory, black."""
    if split.resident or not may_be_kept(split, train, limit):
        return split
    images = np.zeros((len(split), *split.image_shape), np.uint8)  # takes no memory until written
    return Split(images, np.zeros(len(split), np.int32))
