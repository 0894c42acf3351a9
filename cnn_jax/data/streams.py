"""From records to batches: threads read, decode and crop ahead of the step.

What is in a batch is a function of its request alone, whatever the number of threads: a draw is
keyed by (seed, step, position in the global batch), and an image that cannot be read is replaced by
the next one of the split that can. So nothing is remembered, a resume begins anywhere at once, and
any number of hosts make the same global batch.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import CropRule, Whole, draws
from cnn_jax.data.decode import decode
from cnn_jax.data.interpolation import DEFAULT
from cnn_jax.data.records import Batch, Record, Records, Request
from cnn_jax.data.regular_files import printable
from cnn_jax.data.resize import apply_crop
from cnn_jax.data.unreadable import UnreadableError

EXAMPLES_PER_TASK = 8  # few enough that all threads end a batch together
WHOLE = Whole()
MOST_REPLACEMENTS = 1000  # unreadable images in a row: then something else is wrong


@dataclass(frozen=True)
class Reading:
    """How records become batches.

    Attributes:
        rule: the crop in training.
        test_rule: the crop everywhere else.
        seed: `seed.data`: of the draws of `rule`.
        workers: threads that read, decode and crop; 0: the caller does it itself.
        prefetch: batches that are made ahead of the one in use.
        resize: the filter, see `interpolation`.
        skip: whether an image that cannot be read is replaced in training and left out of an
            evaluation; otherwise it ends the run.
        unreadable: name -> reason, of those met so far.
    """

    rule: CropRule = WHOLE
    test_rule: CropRule = WHOLE
    seed: int = 0
    workers: int = 0
    prefetch: int = 2
    skip: bool = False
    resize: str = DEFAULT
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordSplit:
    """A split that is read batch by batch.

    Attributes:
        records: where the examples are.
        index: which of them belong to the split, int (N,).
        image_shape: height, width and channels of an image in a batch.
        reading: how they are read.
        classes: how many there are; labels are held to it as they are read. None: not yet.
        resident: whether the images are in memory.

    Raises:
        InputError: `index` is no list of numbers of records.
    """

    records: Records
    index: np.ndarray
    image_shape: tuple[int, int, int] = (0, 0, 0)
    reading: Reading = field(default_factory=Reading)
    classes: int | None = None
    resident: ClassVar[Literal[False]] = False

    def __post_init__(self) -> None:
        index, length = self.index, len(self.records)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise InputError(
                f"index of a split: {index.dtype} {index.shape}; must be integers (N,)"
            )
        if len(wrong := np.flatnonzero((index < 0) | (index >= length))):
            raise InputError(
                f"index[{wrong[0]}] of a split is {index[wrong[0]]}: there are {length:,} records"
            )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def channels(self) -> int:
        """Channels of an image: 1 or 3."""
        return self.records.channels

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each example, int (N,), where it is known before an image is read."""
        return None if self.records.labels is None else self.records.labels[self.index]

    @property
    def unreadable(self) -> dict[str, str]:
        """Name -> reason, of the images met so far that cannot be read."""
        return self.reading.unreadable

    def take(self, indices: np.ndarray) -> RecordSplit:
        """Returns the split of the examples at `indices`, in that order."""
        return replace(self, index=self.index[indices])

    def record(self, example: int) -> Record:
        """Returns one example.

        Raises:
            InputError: its label is none of the classes.
        """
        record = self.records[int(self.index[example])]
        if self.classes is not None and not 0 <= record.label < self.classes:
            raise InputError(
                f"{printable(record.name)} has label {record.label}: the classes are 0 to "
                f"{self.classes - 1}"
            )
        return record

    def name(self, example: int) -> str:
        """Returns by what a message names an example."""
        return self.record(example).name

    def batches(self, requests: Iterable[Request], train: bool = False) -> Iterator[Batch]:
        """Yields the batch of each request, in order; the next ones are made meanwhile.

        Args:
            requests: what is wanted; may be endless.
            train: whether the crop of training is used.

        Raises:
            InputError: an image cannot be read, and is not to be skipped.
        """
        return stream(self, requests, train)


def whole_split(records: Records) -> RecordSplit:
    """Returns the split of all records, in their order."""
    return RecordSplit(records, np.arange(len(records)))


class Pending(NamedTuple):
    """A batch that is being made, and the threads' promises to fill its parts."""

    batch: Batch
    parts: list[Future[None]]


def stream(split: RecordSplit, requests: Iterable[Request], train: bool) -> Iterator[Batch]:
    """Yields the batch of each request, in order. See `RecordSplit.batches`."""
    reading = split.reading
    if reading.workers == 0:
        for request in requests:
            batch = empty_batch(split, len(request.ids))
            fill(split, request, train, batch, range(len(request.ids)))
            yield batch
        return
    pool = ThreadPoolExecutor(reading.workers, thread_name_prefix="decode")
    pending: deque[Pending] = deque()
    try:
        for request in requests:
            pending.append(_begin(pool, split, request, train))
            if len(pending) > reading.prefetch:
                yield _end(pending.popleft())
        while pending:
            yield _end(pending.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(pool: ThreadPoolExecutor, split: RecordSplit, request: Request, train: bool) -> Pending:
    size = len(request.ids)
    batch = empty_batch(split, size)
    parts = [
        pool.submit(fill, split, request, train, batch, range(first, last))
        for first in range(0, size, EXAMPLES_PER_TASK)
        for last in [min(first + EXAMPLES_PER_TASK, size)]
    ]
    return Pending(batch, parts)


def _end(pending: Pending) -> Batch:
    for part in pending.parts:
        part.result()
    return pending.batch


def empty_batch(split: RecordSplit, size: int) -> Batch:
    """Returns a batch of `size` to be filled; never one used before: a device may still read it."""
    return Batch(
        np.empty((size, *split.image_shape), np.uint8),
        np.zeros(size, np.int32),
        np.ones(size, bool),
    )


def fill(split: RecordSplit, request: Request, train: bool, batch: Batch, rows: range) -> None:
    """Reads, decodes and crops some rows of a batch.

    Raises:
        InputError: an image cannot be read, and is not to be skipped.
    """
    reading = split.reading
    for row in rows:
        example = int(request.ids[row])
        found = _readable(split, example, replacements=MOST_REPLACEMENTS if train else 0)
        if found is None:
            batch.images[row], batch.readable[row] = 0, False
            batch.labels[row] = split.record(example).label
            continue
        pixels, label = found
        rule = reading.rule if train else reading.test_rule
        position = row if request.positions is None else int(request.positions[row])
        rng = draws(reading.seed, request.step, position)
        try:
            crop = rule(rng, *pixels.shape[:2])
        except InputError as error:
            raise InputError(f"{printable(split.name(example))}: {error}") from error
        if crop.window[2:] != split.image_shape[:2]:
            raise InputError(
                f"{printable(split.name(example))} has {pixels.shape[1]} x {pixels.shape[0]} "
                f"pixels, others {split.image_shape[1]} x {split.image_shape[0]}: a rule must make "
                f"one size of them, as {_one_size('train_crop', split.image_shape[0])} "
                f"{_one_size('test_crop', split.image_shape[0])}"
            )
        apply_crop(pixels, crop, batch.images[row], reading.resize)
        batch.labels[row] = label


def _one_size(section: str, side: int) -> str:
    return (
        f"--config.{section}.name=shorter_side --config.{section}.kwargs.size={side} "
        f"--config.{section}.kwargs.shorter_side={side}"
    )


def _readable(split: RecordSplit, example: int, replacements: int) -> tuple[np.ndarray, int] | None:
    """Pixels and label of an example, or of the next one that can be read; None: there is none."""
    for ahead in range(min(replacements, len(split) - 1) + 1):
        record = split.record((example + ahead) % len(split))
        try:
            return pixels_of(record, split.channels), record.label
        except UnreadableError as error:
            _note(split, record.name, str(error))
    if replacements:
        raise InputError(f"{replacements} images in a row cannot be read")
    return None


def pixels_of(record: Record, channels: int) -> np.ndarray:
    """Returns the pixels of a record, uint8 (H, W, channels).

    Raises:
        UnreadableError: it cannot be fetched or decoded.
    """
    if record.fault:
        raise UnreadableError(record.fault)
    if isinstance(record.image, np.ndarray):
        return record.image
    return decode(record.image, channels)


def _note(split: RecordSplit, name: str, reason: str) -> None:
    reading = split.reading
    if not reading.skip:
        raise InputError(
            f"{printable(name)} cannot be read: {reason}; mend or remove it (a run that has begun "
            "goes on with the same files alone), or set config.data.unreadable = 'skip'"
        )
    if name not in reading.unreadable:
        reading.unreadable[name] = reason
        logging.getLogger(__name__).warning(
            "%s cannot be read and is skipped: %s", printable(name), reason
        )
