"""What a source gives: splits of labelled images, in memory or read as needed, and class names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.records import Batch, Record, Request
from cnn_jax.data.streams import RecordSplit


@dataclass(frozen=True)
class Split:
    """Labelled images in memory.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int32 (N,), from 0 to the number of classes less one.
        resident: whether the images are in memory.

    Raises:
        InputError: the arrays are not such, or differ in length.
    """

    images: np.ndarray
    labels: np.ndarray
    resident: ClassVar[Literal[True]] = True

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.ndim != 4:
            raise InputError(f"images of a split have shape {images.shape}: must be (N, H, W, C)")
        if labels.ndim != 1 or len(labels) != len(images):
            raise InputError(
                f"labels of a split have shape {labels.shape}: must be ({len(images)},), one for "
                "each image"
            )
        if images.dtype != np.uint8:
            raise InputError(
                f"images of a split are {images.dtype}{_first_odd(images)}: must be uint8, from 0 "
                "to 255; what is done to them after is config.data.normalisation"
            )
        if labels.dtype.kind not in "iu":
            raise InputError(
                f"labels of a split are {labels.dtype}, as {labels[:1].tolist()}: must be int32"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.image_shape[2]

    @property
    def unreadable(self) -> dict[str, str]:
        """Name -> reason, of the images that cannot be read: none is left in memory."""
        return {}

    def take(self, indices: np.ndarray) -> Split:
        """Returns the examples at `indices`, in that order."""
        return Split(self.images[indices], self.labels[indices])

    def record(self, example: int) -> Record:
        """Returns one example."""
        return Record(self.images[example], int(self.labels[example]), self.name(example))

    def name(self, example: int) -> str:
        """Returns by what a message names an example."""
        return f"example {example}"

    def batches(self, requests: Iterable[Request], train: bool = False) -> Iterator[Batch]:
        """Yields the batch of each request, in order; the images are as large as they are."""
        for request in requests:
            part = self.take(request.ids)
            yield Batch(part.images, part.labels, np.ones(len(part), bool))


def _first_odd(values: np.ndarray) -> str:
    """Where the first value that is no whole number from 0 to 255 is, for a message."""
    odd = np.argwhere(~np.isin(values, np.arange(256)))
    if not len(odd):
        return ""
    return f", {values[tuple(odd[0])]} in example {odd[0][0]}"


AnySplit = Split | RecordSplit


@dataclass(frozen=True)
class Dataset:
    """The splits of one source.

    Attributes:
        train: what the network learns from.
        validation: what choices are made on; may be empty.
        test: what is reported once, at the end.
        class_names: one name a class.
        fingerprint: of what lies on the disk, where the source tells one: it ends a run that would
            go on with other data.
        notices: what the user is told at the start of a run: what is taken for what, what is left
            out.

    Raises:
        InputError: a label is none of the classes. Labels that are known only with their images
            are looked at as these are read.
    """

    train: AnySplit
    validation: AnySplit
    test: AnySplit
    class_names: tuple[str, ...]
    fingerprint: str | None = None
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, split in self.splits.items():
            labels = split.labels
            if labels is None:
                continue
            wrong = np.flatnonzero((labels < 0) | (labels >= self.num_classes))
            if len(wrong):
                first = int(wrong[0])
                raise InputError(
                    f"split {name!r}: example {first} has label {labels[first]}, as the first of "
                    f"{len(wrong):,}: the classes are 0 to {self.num_classes - 1}"
                )

    @property
    def splits(self) -> dict[str, AnySplit]:
        """The splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.train.image_shape

    def checked_as_read(self) -> Dataset:
        """Returns the same, of which a label that is known only when read is checked then."""
        parts: dict[str, Any] = {
            name: split if split.resident else replace(split, classes=self.num_classes)
            for name, split in self.splits.items()
        }
        return replace(self, **parts)

    def split(self, name: str) -> AnySplit:
        """Returns the split called `name`.

        Raises:
            InputError: there is no such split, or it is empty.
        """
        splits = self.splits
        if name not in splits:
            raise InputError(f"split {name!r} is unknown{hint(name, splits)}")
        if not len(splits[name]):
            raise InputError(f"split {name!r} is empty: config.data holds nothing out for it")
        return splits[name]


def unnamed(classes: int) -> tuple[str, ...]:
    """Returns the names of classes that have none of their own: `class 0` and so on."""
    return tuple(f"class {number}" for number in range(classes))


def carve_validation(dataset: Dataset, folds: int, fold: int, rule: str) -> Dataset:
    """Holds one fold of train out as validation, where the source brings no validation of its own.

    Args:
        dataset: as the source gives it.
        folds: into how many parts train is divided; 0 leaves it whole.
        fold: which part becomes validation, from 0.
        rule: `interleaved`: example i is in fold i mod folds (classes stay balanced when the source
            is sorted by class); `contiguous`: fold k is the k-th block (writers or sessions stay
            apart when the source is sorted by them).

    Raises:
        InputError: there are fewer examples than folds; or of files on a disk, which are sorted by
            class, no example of a class is left.
    """
    if folds == 0 or len(dataset.validation):
        return dataset
    if folds > len(dataset.train):
        raise InputError(
            f"config.data.validation_folds = {folds}: train has {len(dataset.train)} examples, "
            "and every fold needs one, as in --config.data.validation_folds=10"
        )
    index = np.arange(len(dataset.train))
    fold_of = index % folds if rule == "interleaved" else index * folds // len(index)
    carved = replace(
        dataset,
        train=dataset.train.take(index[fold_of != fold]),
        validation=dataset.train.take(index[fold_of == fold]),
    )
    check_no_class_emptied(
        dataset,
        carved.train,
        f"config.data.validation_folds = {folds}, validation_fold = {fold} and validation_rule = "
        f"{rule!r} hold out",
        "more images, more folds, or validation_rule = 'interleaved'",
    )
    return carved


def check_no_class_emptied(dataset: Dataset, left: AnySplit, taker: str, mends: str) -> None:
    """Refuses a choice of training examples in which a class has none, and had some before.

    Splits in memory pass: those of `digits` and `synthetic` are not sorted by class.

    Args:
        dataset: before the choice.
        left: its train split after.
        taker: what makes the choice, for the message.
        mends: what mends it.

    Raises:
        InputError: there is such a class.
    """
    if dataset.train.resident or dataset.train.labels is None or left.labels is None:
        return
    before, after = (
        np.bincount(labels, minlength=dataset.num_classes)
        for labels in (dataset.train.labels, left.labels)
    )
    if len(emptied := np.flatnonzero((before > 0) & (after == 0))):
        first = dataset.class_names[emptied[0]]
        raise InputError(
            f"{taker} all training examples of {len(emptied)} of {dataset.num_classes} classes, as "
            f"of {first!a}; allowed: {mends}"
        )
