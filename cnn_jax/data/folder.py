"""A folder of images, one sub-folder a class, read in place.

What is a split and what a class, `data.layout` says; what is an image, `data.listing`.
"""

from __future__ import annotations

import hashlib
import math
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data import layout
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.grey import channels_of, told
from cnn_jax.data.listing import SUFFIXES, Identity, LeftOut, left_out_of, list_images
from cnn_jax.data.records import Record
from cnn_jax.data.regular_files import printable, read_file
from cnn_jax.data.streams import RecordSplit, whole_split
from cnn_jax.data.unreadable import UnreadableError


class FileRecords:
    """Image files with a class each.

    Args:
        root: what names are relative to.
        files: relative to `root`.
        labels: one for each.
        channels: that an image is decoded to.
    """

    def __init__(self, root: Path, files: list[str], labels: list[int], channels: int):
        self._root, self._files = root, files
        self.labels = np.array(labels, np.int32)
        self.channels = channels

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Record:
        file, label = self._files[index], int(self.labels[index])
        try:
            return Record(read_file(self._root / file), label, file)
        except UnreadableError as error:
            return Record(b"", label, file, str(error))


class Example(NamedTuple):
    """An image of a split as it lies on the disk.

    Attributes:
        file: relative to the folder that the user named.
        label: its class.
        size: bytes; -1: it is no file.
        identity: by which it is known again under another name, None: it has none.
        linked: whether a link lies on the way to it.
    """

    file: str
    label: int
    size: int
    identity: Identity | None
    linked: bool


def folder(
    directory: str | None, *, test_fraction: float = 0.1, channels: int | None = None
) -> Dataset:
    """Returns a folder of images as a set, a sub-folder a class, from `data.directory`.

    The splits are folders by these names, in any case:

    - train, training: what the network learns from;
    - val, valid, validation, dev, development: what choices are made on. Where none of the next
      kind lies beside it, it is what is reported (as papers do with the val of ILSVRC), and
      validation is held out of train;
    - test, testing, eval, evaluation: what is reported.

    Where none is train, the folder holds the classes themselves. The classes are the sub-folders of
    train, in the order of their names, and every image in one, however deep, is of that class.

    Args:
        directory: the folder: `config.data.directory`.
        test_fraction: of each class, set apart for testing where the folder has no split of its
            own; which files are chosen depends on their names alone.
        channels: 3 for RGB, 1 for grey; None: the images decide, see `grey.channels_of`.

    Raises:
        InputError: there is no such folder, it or one inside cannot be listed, its layout is
            another, a class has no image to learn from, or an image has two places through a link.
    """
    if directory is None:
        raise InputError("config.data.directory is unset: the folder of the images")
    root = Path(directory)
    if not os.path.isdir(root):
        raise InputError(f"config.data.directory = {printable(directory)}: no such folder")
    if channels not in (None, 1, 3):
        raise InputError(f"config.data.kwargs.channels = {channels}: allowed: 1, 3")
    splits = layout.find_splits(root)
    if not splits and not 0 < test_fraction < 1:
        raise InputError(
            f"config.data.kwargs.test_fraction = {test_fraction}: must be between 0 and 1"
        )
    train = splits.get("train", root)
    classes = layout.classes_of(root, train)
    left_out = LeftOut()
    if splits:
        left_out.add(left_out_of(root))
    parts = {
        name: _examples(root, part, classes, left_out)
        for name, part in (splits or {"train": root}).items()
    }
    counts = _counts(parts["train"], classes)
    layout.check_each_class_has_images(root, train, counts, classes)
    _check_one_place(parts)
    decoded = channels or channels_of(_records(root, parts["train"], 3))
    notices = [*layout.describe(root, splits, classes), told(decoded, channels is not None)]
    if not splits:
        notices[0] += (
            f", and {test_fraction:g} of each is set apart as the test split; validation is held "
            "out of train by config.data.validation_folds"
        )
    elif lacking := sorted({*range(len(classes))} - {e.label for e in parts["test"]}):
        notices.append(
            f"{printable(str(splits['test']))}: no image of {len(lacking)} of {len(classes)} "
            f"classes: {layout.listed(classes[label] for label in lacking)}"
        )
    if text := left_out.describe():
        notices.append(f"{printable(str(root))}: {text}")
    held = {
        name: whole_split(_records(root, examples, decoded)) for name, examples in parts.items()
    }
    if not splits:
        held = _divided(root, held["train"], parts["train"], classes, test_fraction)
    nothing = held["train"].take(np.arange(0))
    return Dataset(
        train=held["train"],
        validation=held.get("validation", nothing),
        test=held["test"],
        class_names=tuple(classes),
        fingerprint=fingerprint(parts),
        notices=tuple(notices),
    )


def fingerprint(parts: Mapping[str, list[Example]]) -> str:
    """Returns a digest of names, sizes and labels of all images, in their order; none is read.

    Names are in the form NFC of Unicode: a copy on another system may write them otherwise.

    Args:
        parts: name of the split -> its images.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        lines = (f"{e.file}\0{e.size}\0{e.label}\0" for e in parts[name])
        text = unicodedata.normalize("NFC", f"{name}\0{len(parts[name])}\0" + "".join(lines))
        digest.update(text.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _examples(root: Path, part: Path, classes: list[str], left_out: LeftOut) -> list[Example]:
    """The images of a split; adds to what is left out."""
    examples = []
    labels = layout.labels_in(root, part, classes)
    for name, label in sorted(labels.items(), key=lambda item: item[1]):
        here = part / name
        listing = list_images(here, within=(root, part))
        left_out.add(listing.left_out)
        linked = part.is_symlink() or here.is_symlink()
        above, cut = here.relative_to(root), len(str(here)) + len(os.sep)
        examples += [
            Example(
                f"{above}{os.sep}{image.path[cut:]}",
                label,
                image.size,
                image.identity,
                linked or image.links > 0,
            )
            for image in listing.images
        ]
    left_out.add(left_out_of(part))
    if not examples:
        rest = f"; {left_out.describe()}" if left_out.describe() else ""
        raise layout.refused(
            root,
            f"{printable(str(part))} holds no images; known are "
            f"{', '.join(sorted(SUFFIXES))}{rest}",
        )
    return examples


def _counts(examples: list[Example], classes: list[str]) -> list[int]:
    labels = np.array([example.label for example in examples], int)
    return np.bincount(labels, minlength=len(classes)).tolist()


def _check_one_place(parts: Mapping[str, list[Example]]) -> None:
    """Refuses an image that links give two classes, or a place in two splits."""
    if not any(example.linked for examples in parts.values() for example in examples):
        return
    met: dict[Identity, tuple[str, Example]] = {}
    for name, examples in parts.items():
        for example in examples:
            if example.identity is None:
                continue
            split, other = met.setdefault(example.identity, (name, example))
            same = (split, other.label) == (name, example.label)
            if not same and (example.linked or other.linked):
                raise InputError(
                    f"{printable(other.file)} and {printable(example.file)} are one image through "
                    "a link, in two classes or two splits: remove one of them"
                )


def _records(root: Path, examples: list[Example], channels: int) -> FileRecords:
    files, labels = [e.file for e in examples], [e.label for e in examples]
    return FileRecords(root, files, labels, channels)


def _divided(
    root: Path, whole: RecordSplit, examples: list[Example], classes: list[str], fraction: float
) -> dict[str, RecordSplit]:
    """Train and test out of a folder without splits."""
    by_class: list[list[int]] = [[] for _ in classes]
    for number, example in enumerate(examples):
        by_class[example.label].append(number)
    in_test = np.zeros(len(examples), bool)
    for own in by_class:
        own.sort(key=lambda i: _key(examples[i].file))
        in_test[own[: math.ceil(fraction * len(own))]] = True
    left = [int((~in_test[own]).sum()) for own in by_class]
    if emptied := [name for name, count in zip(classes, left, strict=True) if not count]:
        raise layout.refused(
            root,
            f"config.data.kwargs.test_fraction = {fraction:g} takes all images of "
            f"{len(emptied)} of {len(classes)} classes for the test split, as of "
            f"{layout.listed(emptied)}: add images, or set a smaller fraction",
        )
    chosen = {"train": np.flatnonzero(~in_test), "test": np.flatnonzero(in_test)}
    return {name: whole.take(indices) for name, indices in chosen.items()}


def _key(file: str) -> bytes:
    return hashlib.sha256(file.encode(errors="surrogateescape")).digest()
