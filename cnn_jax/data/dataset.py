"""What a source gives: splits of labelled images, in memory or read as needed, and class names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.records import Batch, Request
from cnn_jax.data.streams import RecordSplit


@dataclass(frozen=True)
class Split:
    """Labelled images in memory.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int32 (N,), from 0 to the number of classes less one.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def take(self, indices: np.ndarray) -> Split:
        """Returns the examples at `indices`, in that order."""
        return Split(self.images[indices], self.labels[indices])

    def name(self, example: int) -> str:
        """Returns by what a message names an example."""
        return f"example {example}"

    def batches(self, requests: Iterable[Request], train: bool = False) -> Iterator[Batch]:
        """Yields the batch of each request, in order; the images are as large as they are."""
        for request in requests:
            part = self.take(request.ids)
            yield Batch(part.images, part.labels, np.ones(len(part), bool))


AnySplit = Split | RecordSplit


@dataclass(frozen=True)
class Dataset:
    """The splits of one source.

    Attributes:
        train: what the network learns from.
        validation: what choices are made on; may be empty.
        test: what is reported once, at the end.
        class_names: one name a class.
    """

    train: AnySplit
    validation: AnySplit
    test: AnySplit
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.train.image_shape

    def split(self, name: str) -> AnySplit:
        """Returns the split called `name`.

        Raises:
            InputError: there is no such split, or it is empty.
        """
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise InputError(f"split {name!r} is unknown{hint(name, splits)}")
        if not len(splits[name]):
            raise InputError(f"split {name!r} is empty: config.data holds nothing out for it")
        return splits[name]


def carve_validation(dataset: Dataset, folds: int, fold: int, rule: str) -> Dataset:
    """Holds one fold of train out as validation, where the source brings no validation of its own.

    Args:
        dataset: as the source gives it.
        folds: into how many parts train is divided; 0 leaves it whole.
        fold: which part becomes validation, from 0.
        rule: `interleaved`: example i is in fold i mod folds (classes stay balanced when the source
            is sorted by class); `contiguous`: fold k is the k-th block (writers or sessions stay
            apart when the source is sorted by them).
    """
    if folds == 0 or len(dataset.validation):
        return dataset
    index = np.arange(len(dataset.train))
    fold_of = index % folds if rule == "interleaved" else index * folds // len(index)
    return replace(
        dataset,
        train=dataset.train.take(index[fold_of != fold]),
        validation=dataset.train.take(index[fold_of == fold]),
    )
