"""What a prepared set contains, looked at image by image, and written down last.

`manifest.json` says how many images each class has, which files are odd and how, and gives a
fingerprint of the content. A set without it was not prepared to the end.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import simplejpeg

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit, Dataset
from cnn_jax.data.decode import orientation
from cnn_jax.data.image_headers import SIGNATURES
from cnn_jax.data.json_files import check_version, read_object
from cnn_jax.data.records import Record
from cnn_jax.data.regular_files import printable
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError
from cnn_jax.files import write_json

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
DIGEST_BYTES = 16
EXAMPLES_AT_ONCE = 256
JPEG_SUFFIXES = (".jpg", ".jpeg")
Report = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


class Look(NamedTuple):
    """What one image is like.

    Attributes:
        label: its class.
        name: of the file.
        kinds: what is odd about it: cmyk, png_named_jpeg, grey, rotated, unreadable.
        digest: of name, class and content.
    """

    label: int
    name: str
    kinds: tuple[str, ...]
    digest: bytes


def scan(dataset: Dataset, report: Report) -> dict[str, Any]:
    """Looks at every image and returns the content of a manifest.

    Args:
        dataset: as its source holds it.
        report: told of the progress.
    """
    names = dataset.class_names
    found: dict[str, Any] = {"format_version": FORMAT_VERSION, "class_names": list(names)}
    splits, digests = {}, []
    for name, split in dataset.splits.items():
        if not len(split):
            continue
        looks = list(_look_at_all(split, name, report))
        digests += [look.digest for look in looks]
        splits[name] = _summary(looks, names)
    # Sorted: the fingerprint is that of the content, not of its order.
    fingerprint = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    return found | {"fingerprint": fingerprint, "splits": splits}


def _summary(looks: list[Look], names: tuple[str, ...]) -> dict[str, Any]:
    counts = Counter(dict.fromkeys(range(len(names)), 0))  # occupied or not
    counts.update(look.label for look in looks)
    odd: dict[str, list[str]] = {}
    for look in looks:
        for kind in look.kinds:
            odd.setdefault(kind, []).append(look.name)
    return {
        "images": len(looks),
        "classes": len(counts),
        "images_of_class": {
            names[label] if 0 <= label < len(names) else str(label): counts[label]
            for label in sorted(counts)
        },
        "odd_files": {kind: sorted(files) for kind, files in sorted(odd.items())},
    }


def _look_at_all(split: AnySplit, name: str, report: Report) -> Iterator[Look]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        examples, done = iter(range(len(split))), 0
        while chunk := list(islice(examples, EXAMPLES_AT_ONCE)):
            yield from pool.map(lambda i: look_at(split.record(i), split.channels), chunk)
            done += len(chunk)
            report(f"looking at {name}", done, len(split))


def look_at(record: Record, channels: int) -> Look:
    """Returns what one image is like; decodes it whole, to know whether it can be read."""
    content = record.image if isinstance(record.image, bytes) else record.image.tobytes()
    key = f"{record.name}\0{record.label}\0".encode(errors="surrogateescape")
    digest = hashlib.blake2b(key + content, digest_size=DIGEST_BYTES).digest()
    kinds = _kinds(record) if isinstance(record.image, bytes) else []
    try:
        pixels_of(record, channels)
    except UnreadableError:
        kinds.append("unreadable")
    return Look(record.label, record.name, tuple(kinds), digest)


def _kinds(record: Record) -> list[str]:
    content, kinds = record.image, []
    assert isinstance(content, bytes)
    if content.startswith(SIGNATURES["PNG"]) and record.name.lower().endswith(JPEG_SUFFIXES):
        kinds.append("png_named_jpeg")
    if content.startswith(SIGNATURES["JPEG"]):
        try:
            colour = simplejpeg.decode_jpeg_header(content)[2]
        except ValueError:
            return kinds
        if colour in ("CMYK", "YCCK"):
            kinds.append("cmyk")
        if colour == "Gray":
            kinds.append("grey")
        if orientation(content) != 1:
            kinds.append("rotated")
    return kinds


def write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    """Writes `manifest.json` whole or not at all."""
    write_json(directory / MANIFEST, manifest, indent=1)


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """Returns the manifest of a prepared folder, or None.

    Raises:
        InputError: it is damaged, contradicts itself, or was written by a newer version.
    """
    file = directory / MANIFEST
    if not os.path.lexists(file):
        return None
    manifest = read_object(file)
    check_version(file, manifest.get("format_version", FORMAT_VERSION), FORMAT_VERSION)
    odd = _contradiction(manifest)
    if odd:
        raise InputError(
            f"{file} is damaged: {odd}; remove it and run experiments.prepare again, which looks "
            "at all images anew"
        )
    return manifest


def _contradiction(manifest: dict[str, Any]) -> str:
    """What is wrong with a manifest, or nothing."""
    if not isinstance(manifest.get("fingerprint"), str):
        return "it has no fingerprint"
    splits = manifest.get("splits", {})
    if not isinstance(splits, dict):
        return "its splits are no object"
    for name, split in splits.items():
        try:
            counts = list(split["images_of_class"].values())
            told = split["images"], split["classes"]
            odd_files = [file for files in split["odd_files"].values() for file in files]
        except (AttributeError, KeyError, TypeError):
            return f"of split {name!r} it lacks images, classes, images_of_class or odd_files"
        if any(type(count) is not int or count < 0 for count in counts):
            return f"of split {name!r} the images of a class are no positive number, and not 0"
        if told != (sum(counts), len(counts)):
            return (
                f"of split {name!r} it tells {told[0]} images of {told[1]} classes, and counts "
                f"{sum(counts)} of {len(counts)}"
            )
        if any(not isinstance(file, str) for file in odd_files):
            return f"of split {name!r} the odd files are no names"
    return ""


def check_counts(manifest: dict[str, Any], dataset: Dataset, where: Path) -> None:
    """Refuses a manifest that speaks of other images than there are.

    Args:
        manifest: as `read_manifest` gives it.
        dataset: what there is.
        where: the folder of both, for the message.

    Raises:
        InputError: the number of images of a split differs.
    """
    told = manifest.get("splits", {})
    for name, split in dataset.splits.items():
        images, there = told.get(name, {"images": 0})["images"], len(split)
        if images != there:
            raise InputError(
                f"{where / MANIFEST} speaks of {images:,} images in split {name!r}, and "
                f"there are {there:,}: one of the two is of another preparation; remove {where} "
                "and run experiments.prepare again"
            )


def totals(manifest: dict[str, Any]) -> str:
    """Returns one line for each split, and one for each kind of odd file."""
    lines = []
    for name, split in manifest["splits"].items():
        sizes = np.array(list(split["images_of_class"].values()))
        lines.append(
            f"{name}: {split['images']:,} images, {split['classes']:,} classes of "
            f"{sizes.min():,} to {sizes.max():,}"
        )
        for kind, files in split["odd_files"].items():
            shown = ", ".join(map(printable, files[:3])) + (", ..." if len(files) > 3 else "")
            lines.append(f"  {kind}: {len(files):,} ({shown})")
    return "\n".join(lines)
