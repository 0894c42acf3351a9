"""A store of images resized once: random access, nothing to decode (uint8) or little (jpeg).

`python -m experiments.prepare --store=uint8_256` writes one. A split is a folder with

    images.bin    the images, one behind the other: pixels (H, W, C) or JPEG files; nothing where
                  an image could not be read, so that every example keeps its place and is counted
    index.npz     offset (N + 1,) in bytes, shape (N, 3), label (N,)
    names.txt     a line for each image

and `store.json` beside the splits says what is inside; it is written last.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.records import Record
from cnn_jax.data.streams import RecordSplit, whole_split

DESCRIPTION = "store.json"
IMAGES, INDEX, NAMES = "images.bin", "index.npz", "names.txt"
SPLITS = ("train", "validation", "test")


class StoreRecords:
    """One split of a store.

    Args:
        directory: of the split.
        encoded: whether the images are JPEG files, not pixels.
        channels: of an image.

    Raises:
        InputError: it is incomplete.
    """

    def __init__(self, directory: Path, encoded: bool, channels: int):
        self.channels, self._encoded = channels, encoded
        with np.load(directory / INDEX) as index:
            self._offset, self._shape, self.labels = index["offset"], index["shape"], index["label"]
        self._names = (directory / NAMES).read_text().splitlines()
        self._file = os.open(directory / IMAGES, os.O_RDONLY)
        size = os.fstat(self._file).st_size
        if size != self._offset[-1]:
            raise InputError(
                f"{directory / IMAGES} has {size:,} bytes, and its index speaks of "
                f"{self._offset[-1]:,}: it is cut short; prepare the store anew"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Record:
        first, last = int(self._offset[index]), int(self._offset[index + 1])
        label, name = int(self.labels[index]), self._names[index]
        # One read of known size, rather than a memory map, which a cold disk serves page by page.
        try:
            content = os.pread(self._file, last - first, first)
        except OSError as error:
            return Record(b"", label, name, error.strerror or "it cannot be read")
        if len(content) != last - first:
            return Record(b"", label, name, f"the store was cut short at byte {first}")
        if self._encoded or not content:
            return Record(content, label, name)
        return Record(np.frombuffer(content, np.uint8).reshape(self._shape[index]), label, name)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def store(directory: str | None) -> Dataset:
    """Returns a store.

    Args:
        directory: of the store: `config.data.directory`.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if directory is None:
        raise InputError("config.data.directory is unset: the folder of the store")
    root = Path(directory)
    if not (root / DESCRIPTION).is_file():
        raise InputError(
            f"{root} is no store; make one by python -m experiments.prepare --store=uint8_256"
        )
    description = json.loads((root / DESCRIPTION).read_text())
    encoded, channels = description["format"] == "jpeg", description["channels"]

    def split(name: str) -> RecordSplit | None:
        here = root / name
        return whole_split(StoreRecords(here, encoded, channels)) if here.is_dir() else None

    train, validation, test = (split(name) for name in SPLITS)
    if train is None or test is None:
        raise InputError(f"{root} lacks its train or test split; prepare the store anew")
    return Dataset(
        train=train,
        validation=validation or train.take(np.arange(0)),
        test=test,
        class_names=tuple(description["class_names"]),
    )
