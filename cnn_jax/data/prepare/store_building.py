"""Writes a store: every image resized once so that its shorter side has a given length."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import with_shorter_side
from cnn_jax.data.dataset import AnySplit, Dataset
from cnn_jax.data.image_headers import check_size
from cnn_jax.data.manifest import Report, write_manifest
from cnn_jax.data.prepare.tfds_building import finish, unfinished
from cnn_jax.data.resize import resize
from cnn_jax.data.store import (
    DESCRIPTION,
    FORMAT_VERSION,
    FORMATS,
    IMAGES,
    INDEX,
    NAMES,
    digest_of,
)
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError

QUALITY = 95  # of a JPEG store
EXAMPLES_OF_A_THREAD = 16
LONGEST_SHORTER_SIDE = 4096  # pixels: no network sees more, and 1,000 such images are 50 GB


def parse_format(word: str) -> tuple[str, int]:
    """Returns format and shorter side of `uint8_256` or `jpeg_256`.

    Raises:
        InputError: it is neither, or no image has such a side.
    """
    form, _, side = word.partition("_")
    digits = side.isascii() and side.isdigit() and len(side) <= len(str(LONGEST_SHORTER_SIDE))
    if form not in FORMATS or not digits or not 1 <= int(side) <= LONGEST_SHORTER_SIDE:
        raise InputError(
            f"--store={word:.60}: allowed: uint8_SIDE, jpeg_SIDE with a side of 1 to "
            f"{LONGEST_SHORTER_SIDE:,} pixels, as in uint8_256"
        )
    return form, int(side)


def build_store(
    dataset: Dataset, manifest: dict[str, Any], final: Path, word: str, report: Report
) -> dict[str, Any]:
    """Writes the store of a set, and returns its manifest.

    Of an image that cannot be read the place is kept, and nothing in it: it stays unreadable. The
    manifest lists it.

    Args:
        dataset: as its source holds it.
        manifest: of the set.
        final: folder of the store.
        word: `uint8_256` or the like.
        report: told of the progress.

    Raises:
        InputError: there are images without a class.
    """
    form, side = parse_format(word)
    _check_classes(dataset, manifest)
    temporary = unfinished(final)
    unreadable: dict[str, list[str]] = {}
    for name, split in dataset.splits.items():
        if len(split):
            unreadable[name] = _write_split(split, temporary / name, form, side, name, report)
    written = manifest | {"store": {"format": word, "unreadable": unreadable}}
    description = {
        "format_version": FORMAT_VERSION,
        "format": form,
        "shorter_side": side,
        "channels": dataset.train.channels,
        "class_names": list(dataset.class_names),
        "made_from": manifest["fingerprint"],
        "digests": {name: digest_of(temporary / name) for name in unreadable},
    }
    (temporary / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
    write_manifest(temporary, written)
    finish(temporary, final)
    return written


def _check_classes(dataset: Dataset, manifest: dict[str, Any]) -> None:
    for name, split in manifest.get("splits", {}).items():
        for label in split["images_of_class"]:
            if label not in dataset.class_names:
                raise InputError(
                    f"split {name!r} has images of label {label}, which is none of the "
                    f"{dataset.num_classes} classes: a store needs the class of every image"
                )


def _write_split(
    split: AnySplit, directory: Path, form: str, side: int, name: str, report: Report
) -> list[str]:
    directory.mkdir()
    ends, shapes, labels, names, unreadable = [0], [], [], [], []
    with (directory / IMAGES).open("wb") as file:
        for content in _resized(split, form, side, name, report):
            if not content[0]:
                unreadable.append(content[3])
            file.write(content[0])
            ends.append(ends[-1] + len(content[0]))
            shapes.append(content[1])
            labels.append(content[2])
            names.append(content[3])
        file.flush()
        os.fsync(file.fileno())
    np.savez(
        directory / INDEX,
        offset=np.array(ends, np.int64),
        shape=np.array(shapes, np.int32),
        label=np.array(labels, np.int32),
    )
    (directory / NAMES).write_text(json.dumps(names))
    return unreadable


Resized = tuple[bytes, tuple[int, int, int], int, str]  # content, shape, label, name


def _resized(split: AnySplit, form: str, side: int, name: str, report: Report) -> Iterator[Resized]:
    def one(example: int) -> Resized:
        record = split.record(example)
        try:
            pixels = pixels_of(record, split.channels)
            height, width = pixels.shape[:2]
            size = with_shorter_side(height, width, side)
            # A line of 1 x 60,000 pixels would become 256 x 15 million.
            check_size(*size, pixels.shape[2])
        except UnreadableError:
            return b"", (0, 0, 0), record.label, record.name
        small = resize(pixels, size)
        content = small.tobytes() if form == "uint8" else _jpeg(small)
        return content, (*small.shape[:2], small.shape[2]), record.label, record.name

    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        examples, done = iter(range(len(split))), 0
        # Each may take as much as `check_size` lets pass: not many of them are kept at once.
        while chunk := list(islice(examples, EXAMPLES_OF_A_THREAD * threads)):
            yield from pool.map(one, chunk)
            done += len(chunk)
            report(f"resizing {name}", done, len(split))


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
