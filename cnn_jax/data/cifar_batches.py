"""CIFAR-10 and CIFAR-100 as published: the Python or the binary version, unpacked or packed.

A. Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images, and the page of the
sets, `official_sets.CIFAR_ADDRESS`. An image is 1,024 bytes of red, of green, of blue, row by row.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.official_files import Content, Found, differs, md5, read, refuse_short
from cnn_jax.data.official_sets import CifarSet, Version
from cnn_jax.data.pickled_batch import batch_of
from cnn_jax.data.regular_files import printable

SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS
LARGEST_MEMBER = 1 << 29  # bytes


@dataclass(frozen=True)
class Batches:
    """The files of a set, read.

    Attributes:
        where: what was read, for a message.
        train: images uint8 (N, 32, 32, 3) and labels int32 (N,).
        test: the same.
        contents: of the files.
    """

    where: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    contents: tuple[Content, ...]


def read_batches(root: Path, cifar: CifarSet, label: str, checked: bool) -> Batches:
    """Returns a set.

    Args:
        root: the folder that the user named: with the unpacked folder, its files, or the archive.
        cifar: the set.
        label: key of `cifar.labels`.
        checked: whether files that differ from the published ones are refused.

    Raises:
        InputError: a file is missing, or as `official_files.read`.
    """
    version, found, contents = _contents(root, cifar, checked)
    parts = []
    for official in (*version.train, version.test):
        one, content = found[official.name], contents[official.name]
        parts.append(_examples(one, content, cifar, version, label, checked))
    images = [_images(pixels) for pixels, _ in parts]
    labels = [labels for _, labels in parts]
    return Batches(
        printable(str(next(iter(found.values())).path.parent)),
        (np.concatenate(images[:-1]), np.concatenate(labels[:-1])),
        (images[-1], labels[-1]),
        tuple(contents.values()),
    )


def _contents(
    root: Path, cifar: CifarSet, checked: bool
) -> tuple[Version, dict[str, Found], dict[str, Content]]:
    for version in cifar.versions:
        wanted = (*version.train, version.test)
        for folder in (root / version.folder, root):
            lying = {o.name for o in wanted if os.path.isfile(folder / o.name)}
            if not lying:
                continue
            if missing := [o.name for o in wanted if o.name not in lying]:
                raise InputError(
                    f"{printable(str(folder))}: of the official files of {cifar.title} "
                    f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there; "
                    f"{version.archive.name} holds them, from {cifar.address}"
                )
            found = {o.name: Found(folder / o.name, o, cifar.title, cifar.address) for o in wanted}
            return version, found, {name: _read(one, checked) for name, one in found.items()}
    for version in cifar.versions:
        plain = version.archive.name.removesuffix(".gz")
        for name in (f"{plain}.gz", plain, f"{version.folder}.tar.gz"):
            if os.path.isfile(path := root / name):
                whole = Found(path, version.archive, cifar.title, cifar.address)
                return version, *_unpacked(whole, version, checked)
    looked = [f"{version.folder}/, {version.archive.name}" for version in cifar.versions]
    first = cifar.versions[0]
    raise InputError(
        f"config.data.directory = {printable(str(root))}: no official file of {cifar.title} is "
        f"there; looked for {', '.join(looked)}, or the files in them, as {first.train[0].name} "
        f"and {first.test.name}; they are published at {cifar.address}"
    )


def _read(found: Found, checked: bool) -> Content:
    size, least = found.path.stat().st_size, found.official.examples * PIXELS
    if checked and 0 < size < least:  # of a pickled batch no size is known beforehand
        raise found.refused(
            f"has {size:,} bytes, and its pixels alone take {least:,}: the download is incomplete"
        )
    return read(found, checked)


def _unpacked(
    whole: Found, version: Version, checked: bool
) -> tuple[dict[str, Found], dict[str, Content]]:
    """The files in an archive. One as published is known by its own digest."""
    wanted = {o.name: o for o in (*version.train, version.test)}
    raw = np.memmap(whole.path, np.uint8, "r") if whole.path.stat().st_size else np.zeros(0, "u1")
    known = md5(raw) == whole.official.packed_md5
    held: dict[str, np.ndarray] = {}
    try:
        with tarfile.open(whole.path) as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in wanted and member.isfile() and member.size <= LARGEST_MEMBER:
                    file = archive.extractfile(member)
                    assert file is not None
                    held[name] = np.frombuffer(file.read(), np.uint8)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        refuse_short(whole, len(raw))
        raise whole.refused(f"is cut short or damaged ({error})") from error
    if missing := [name for name in wanted if name not in held]:
        refuse_short(whole, len(raw))
        raise whole.refused(f"holds no {missing[0]}")
    found = {
        name: Found(whole.path, official, whole.title, whole.address, name)
        for name, official in wanted.items()
    }
    contents = {}
    for name, one in found.items():
        digest = "" if known else md5(held[name])
        right = known or digest == one.official.md5
        if checked and not right:
            raise differs(one, digest, len(held[name]), len(held[name]), packed=False)
        contents[name] = Content(held[name], right, digest)
    return found, contents


def _examples(
    found: Found, content: Content, cifar: CifarSet, version: Version, label: str, checked: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3072) and labels int32 (N,) of a file."""
    if version.binary:
        kinds = list(cifar.labels)
        record = len(kinds) + PIXELS
        if len(content.data) % record:
            raise found.refused(
                f"holds {len(content.data):,} bytes, no whole number of images of {record:,}: the "
                "download is incomplete"
            )
        table = content.data.reshape(-1, record)
        pixels, labels = table[:, len(kinds) :], table[:, kinds.index(label)].astype(np.int32)
    else:
        try:
            pixels, labels = batch_of(content.data.tobytes(), label)
        except Exception as error:  # whatever a pickle that is none may cause
            text = str(error) or type(error).__name__
            raise found.refused(f"is no batch of {cifar.title}: {text:.200}") from error
    if pixels.shape[1] != PIXELS or not len(pixels):
        raise found.refused(f"holds {len(pixels)} images of {pixels.shape[1]} bytes, not {PIXELS}")
    classes = len(cifar.labels[label])
    if labels.min() < 0 or labels.max() >= classes:
        raise found.refused(
            f"has the label {labels.max() if labels.max() >= classes else labels.min()}: "
            f"{cifar.title} has {classes} classes"
        )
    if checked and len(pixels) != found.official.examples:
        raise found.refused(f"holds {len(pixels):,} images, not {found.official.examples:,}")
    return pixels, labels


def _images(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
