"""A store of images resized once: random access, nothing to decode (uint8) or little (jpeg).

`python -m experiments.prepare --store=uint8_256` writes one. A split is a folder with

    images.bin    the images, one after the other: pixels (H, W, C) or JPEG files; nothing where
                  an image could not be read, so that every example keeps its place and is counted
    index.npz     offset (N + 1,) in bytes, shape (N, 3), label (N,)
    names.json    the name of each image; format 1 had names.txt, a line for each

and `store.json` beside the splits says what is inside; it is written last. All but the images is
checked when a store is opened: the index by its digest, and for whether it fits the images.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.json_files import check_version, read_object
from cnn_jax.data.manifest import MANIFEST, check_counts, read_manifest
from cnn_jax.data.npz import load_npz
from cnn_jax.data.records import Record
from cnn_jax.data.streams import RecordSplit, whole_split

DESCRIPTION = "store.json"
IMAGES, INDEX, NAMES, LINES = "images.bin", "index.npz", "names.json", "names.txt"
FORMATS = ("uint8", "jpeg")
# 1: names a line each, no digests. 2: names that hold any character, digests of index and names.
FORMAT_VERSION = 2
LONGEST_SIDE = 1 << 20  # pixels; above it an index speaks of no image


@dataclass(frozen=True)
class Description:
    """What `store.json` says.

    Attributes:
        root: of the store.
        version: of the format.
        form: `uint8` or `jpeg`.
        side: shorter side of the images, pixels.
        channels: of the images.
        class_names: one name a class.
        made_from: fingerprint of what it was made from.
        digests: of each split: `digest_of`; none in format 1.
    """

    root: Path
    version: int
    form: str
    side: int
    channels: int
    class_names: tuple[str, ...]
    made_from: str
    digests: dict[str, str]

    def damage(self, file: Path, what: str) -> InputError:
        """Returns the error of a damaged file of the store."""
        return _damage(self.root, file, what, f"{self.form}_{self.side}")


def _damage(root: Path, file: Path, what: str, word: str) -> InputError:
    return InputError(
        f"{file} {what}; prepare the store anew: remove {root}, and run python -m "
        f"experiments.prepare --store={word} again"
    )


class StoreRecords:
    """One split of a store.

    Args:
        directory: of the split.
        description: of the store.

    Raises:
        InputError: it is incomplete or damaged.
    """

    def __init__(self, directory: Path, description: Description):
        self.channels, self._encoded = description.channels, description.form == "jpeg"
        index = _index(directory, description)
        self._offset, self._shape, self.labels = index["offset"], index["shape"], index["label"]
        self._names = _names(directory, description)
        if len(self._names) != len(self.labels):
            raise description.damage(
                directory / (NAMES if description.version > 1 else LINES),
                f"has {len(self._names):,} names, and its index speaks of {len(self.labels):,}",
            )
        if description.digests:
            _check_digest(directory, description)
        self._file = _opened(directory / IMAGES, description)
        size, told = os.fstat(self._file).st_size, int(self._offset[-1])
        if size != told:
            fault = "it is cut short" if size < told else "it is of another store"
            raise description.damage(
                directory / IMAGES, f"has {size:,} bytes, and its index speaks of {told:,}: {fault}"
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


def _index(directory: Path, description: Description) -> dict[str, np.ndarray]:
    file = directory / INDEX
    try:
        index = load_npz(file)
        offset, shape, label = (index[key] for key in ("offset", "shape", "label"))
    except Exception as error:  # whatever numpy and zipfile make of a damaged file
        text = str(error) or type(error).__name__
        raise description.damage(file, f"cannot be read: {text}") from error
    odd = _contradiction(offset, shape, label, description)
    if odd:
        raise description.damage(file, f"is damaged: {odd}")
    return index


def _contradiction(
    offset: np.ndarray, shape: np.ndarray, label: np.ndarray, description: Description
) -> str:
    """What is wrong with an index, or nothing."""
    n, classes = label.size, len(description.class_names)
    if any(array.dtype.kind not in "iu" for array in (offset, shape, label)):
        return "it holds more than whole numbers"
    if (offset.shape, shape.shape, label.shape) != ((n + 1,), (n, 3), (n,)):
        return "its arrays are not of one length"
    lengths = np.diff(offset.astype(np.int64))
    wrong = {
        "lies before the one in front of it": lengths < 0,
        f"has a label that is none of the {classes} classes": (label < 0) | (label >= classes),
        "has a side that is no length": ((shape < 0) | (shape > LONGEST_SIDE)).any(1),
    }
    if offset[0] == 0 and not any(one.any() for one in wrong.values()):
        size = shape.astype(np.int64).prod(1)
        full = lengths > 0
        wrong["has other channels than the store"] = full & (shape[:, 2] != description.channels)
        if description.form == "uint8":
            wrong["has other bytes than its shape has pixels"] = lengths != size
        else:
            wrong["has no pixels"] = full & (size == 0)
    for what, where in wrong.items():
        if where.any():
            return f"image {np.flatnonzero(where)[0]} {what}"
    return "" if offset[0] == 0 else "its first image does not begin at 0"


def _names(directory: Path, description: Description) -> list[str]:
    file = directory / (NAMES if description.version > 1 else LINES)
    try:
        content = file.read_bytes()
        if description.version == 1:
            return content.decode().split("\n")[:-1]
        names = json.loads(content)
    except OSError as error:
        raise description.damage(file, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise description.damage(file, "is damaged: it holds no names") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise description.damage(file, "is damaged: it holds more than names")
    return names


def digest_of(directory: Path) -> str:
    """Returns the SHA-256 of the index and the names of a split."""
    digest = hashlib.sha256()
    for name in (INDEX, NAMES):
        digest.update((directory / name).read_bytes())
    return digest.hexdigest()


def _check_digest(directory: Path, description: Description) -> None:
    if digest_of(directory) != description.digests.get(directory.name):
        raise description.damage(
            directory / INDEX, f"or {NAMES} beside it was changed: {DESCRIPTION} has another digest"
        )


def _opened(file: Path, description: Description) -> int:
    try:
        # A pipe under this name would be waited for otherwise.
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise description.damage(file, f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise description.damage(file, "is no file")
    return opened


def describe(root: Path) -> Description:
    """Returns what a store says of itself.

    Raises:
        InputError: there is none, it is damaged, or a newer version wrote it.
    """
    file = root / DESCRIPTION
    if not os.path.lexists(file):
        raise InputError(
            f"{root} is no store; make one by python -m experiments.prepare --store=uint8_256"
        )
    try:
        told = read_object(file)
        version = told.get("format_version", 1)
        check_version(file, version, FORMAT_VERSION)
    except InputError as error:
        if "newer" in str(error):
            raise
        raise _damage(root, file, "cannot be used", "uint8_256") from error
    names, digests = told.get("class_names"), told.get("digests", {})
    rules = {
        "format": told.get("format") in FORMATS,
        "shorter_side": type(told.get("shorter_side")) is int and told["shorter_side"] > 0,
        "channels": told.get("channels") in (1, 3),
        "class_names": isinstance(names, list) and names and all(isinstance(n, str) for n in names),
        "made_from": isinstance(told.get("made_from"), str),
        "digests": isinstance(digests, dict) and bool(digests) == (version > 1),
    }
    for key, right in rules.items():
        if not right:
            raise _damage(root, file, f"is damaged: {key} is {told.get(key)!r:.60}", "uint8_256")
    assert isinstance(names, list)
    return Description(
        root=root,
        version=version,
        form=told["format"],
        side=told["shorter_side"],
        channels=told["channels"],
        class_names=tuple(names),
        made_from=told["made_from"],
        digests=digests,
    )


def store(directory: str | None) -> Dataset:
    """Returns a store of `experiments.prepare --store`, from `data.directory`.

    Args:
        directory: of the store: `config.data.directory`.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if directory is None:
        raise InputError("config.data.directory is unset: the folder of the store")
    description = describe(Path(directory))
    train = _split(description, "train")
    test = _split(description, "test")
    if train is None or test is None:
        lost = description.root / ("train" if train is None else "test")
        raise description.damage(lost, "is not there")
    dataset = Dataset(
        train=train,
        validation=_split(description, "validation") or train.take(np.arange(0)),
        test=test,
        class_names=description.class_names,
    )
    _check_manifest(description, dataset)
    return dataset


def _split(description: Description, name: str) -> RecordSplit | None:
    here = description.root / name
    if not here.is_dir() and name not in description.digests:
        return None
    return whole_split(StoreRecords(here, description))


def _check_manifest(description: Description, dataset: Dataset) -> None:
    """Holds a store and the manifest beside it to each other; it may have been taken away."""
    try:
        manifest = read_manifest(description.root)
    except InputError as error:
        raise description.damage(description.root / MANIFEST, "is damaged") from error
    if manifest is None:
        return
    if manifest["fingerprint"] != description.made_from:
        raise description.damage(
            description.root / DESCRIPTION, f"and {MANIFEST} beside it are of different images"
        )
    check_counts(manifest, dataset, description.root)
