"""A folder of images, one sub-folder a class, read in place.

Either `train/CLASS/...` beside `val/CLASS/...` or `test/CLASS/...`, or `CLASS/...` alone, of which
a fraction is set apart for testing.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.records import Record
from cnn_jax.data.regular_files import (
    SUFFIXES,
    check_link,
    images_under,
    read_file,
    subfolders,
)
from cnn_jax.data.streams import RecordSplit, whole_split
from cnn_jax.data.unreadable import UnreadableError

TRAIN = ("train", "training")
VALIDATION = ("val", "valid", "validation")
TEST = ("test",)


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


def folder(directory: str | None, *, test_fraction: float = 0.1, channels: int = 3) -> Dataset:
    """Returns a folder of images as a set.

    The classes are the sub-folders, in the order of their names. Where there is `val` and no
    `test`, `val` is what is reported, and validation is held out of train.

    Args:
        directory: the folder: `config.data.directory`.
        test_fraction: of each class, set apart for testing where the folder has no split of its
            own; which files are chosen depends on their names alone.
        channels: 3 for RGB, 1 for grey.

    Raises:
        InputError: there is no such folder, it or one inside cannot be listed, it holds no images,
            or its splits differ in classes.
    """
    if directory is None:
        raise InputError("config.data.directory is unset: the folder of the images")
    root = Path(directory)
    if not os.path.isdir(root):
        raise InputError(f"config.data.directory = {directory}: no such folder")
    if channels not in (1, 3):
        raise InputError(f"config.data.kwargs.channels = {channels}: allowed: 1, 3")
    train = _child(root, TRAIN)
    if train is None:
        return _divided(root, test_fraction, channels)
    validation, test = _child(root, VALIDATION), _child(root, TEST)
    if test is None:
        validation, test = None, validation
    if test is None:
        raise InputError(f"{root} has {train.name}/, and neither val/ nor test/ beside it")
    classes = _classes(train)
    splits = [
        _split(root, part, classes, channels) if part else None
        for part in (train, validation, test)
    ]
    assert splits[0] is not None and splits[2] is not None
    held_out = splits[1] or splits[0].take(np.arange(0))
    return Dataset(splits[0], held_out, splits[2], tuple(classes))


def _child(root: Path, names: tuple[str, ...]) -> Path | None:
    for name in names:
        check_link(root / name)
    return next((root / name for name in names if os.path.isdir(root / name)), None)


def _classes(part: Path) -> list[str]:
    found = subfolders(part)
    if not found:
        raise InputError(f"{part} has no sub-folders: one is needed for each class")
    return found


def _listed(root: Path, part: Path, classes: list[str]) -> tuple[list[str], list[int]]:
    """The files of a split, relative to `root`, and their classes."""
    present = _classes(part)
    if unknown := [name for name in present if name not in classes]:
        raise InputError(f"{part / unknown[0]}: train has no such class{hint(unknown[0], classes)}")
    found = [
        (str(file.relative_to(root)), label)
        for label, name in enumerate(classes)
        if name in present
        for file in images_under(part / name)
    ]
    if not found:
        raise InputError(f"{part} holds no images; known are {', '.join(sorted(SUFFIXES))}")
    return [file for file, _ in found], [label for _, label in found]


def _split(root: Path, part: Path, classes: list[str], channels: int) -> RecordSplit:
    return whole_split(FileRecords(root, *_listed(root, part, classes), channels))


def _divided(root: Path, test_fraction: float, channels: int) -> Dataset:
    if not 0 < test_fraction < 1:
        raise InputError(
            f"config.data.kwargs.test_fraction = {test_fraction}: must be between 0 and 1"
        )
    classes = _classes(root)
    files, labels = _listed(root, root, classes)
    in_test = np.zeros(len(files), bool)
    for label in range(len(classes)):
        mine = [i for i in range(len(files)) if labels[i] == label]
        mine.sort(key=lambda i: hashlib.sha256(files[i].encode(errors="surrogateescape")).digest())
        in_test[mine[: math.ceil(test_fraction * len(mine))]] = True
    whole = whole_split(FileRecords(root, files, labels, channels))
    return Dataset(
        train=whole.take(np.flatnonzero(~in_test)),
        validation=whole.take(np.arange(0)),
        test=whole.take(np.flatnonzero(in_test)),
        class_names=tuple(classes),
    )
