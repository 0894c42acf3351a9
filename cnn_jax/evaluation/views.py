"""From the examples of a split to their views: read, decoded once and cropped ahead, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.interpolation import DEFAULT
from cnn_jax.data.resize import apply_crop, is_far_larger, reaches_beyond, resize_by
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError
from cnn_jax.evaluation.protocols import Protocol

# Pixels: of 512 x 16,384 as `dense` sees it. The shorter side is given, and a line as an image
# would be seen in as many layers as large as its aspect makes it.
LARGEST_VIEW = 1 << 23


class Seen(NamedTuple):
    """One example.

    Attributes:
        views: uint8 (h, w, C) each; None: the image cannot be read.
        label: its class.
        name: by which a message names it.
    """

    views: list[np.ndarray] | None
    label: int
    name: str


def views_of(
    split: AnySplit, protocol: Protocol, workers: int, skip: bool, word: str = DEFAULT
) -> Iterator[Seen]:
    """Yields every example of a split once, in its order.

    Args:
        split: as its source holds it, not cropped.
        protocol: which views are wanted.
        workers: threads; 0: the caller does it itself.
        skip: whether an image that cannot be read is left out.
        word: the filter by which images are resized, see `interpolation`.

    Raises:
        InputError: an image cannot be read and is not to be skipped.
    """
    if workers == 0:
        yield from (_seen(split, protocol, example, skip, word) for example in range(len(split)))
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="views")
    pending: deque[Future[Seen]] = deque()
    try:
        for example in range(len(split)):
            pending.append(pool.submit(_seen, split, protocol, example, skip, word))
            if len(pending) > 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _seen(split: AnySplit, protocol: Protocol, example: int, skip: bool, word: str) -> Seen:
    record = split.record(example)
    try:
        views = _cut(pixels_of(record, split.channels), protocol, word)
    except UnreadableError as error:
        if not skip:
            raise InputError(
                f"{record.name} cannot be read: {error}; mend or remove it, or train with "
                "config.data.unreadable = 'skip'"
            ) from error
        return Seen(None, record.label, record.name)
    return Seen(views, record.label, record.name)


def _cut(pixels: np.ndarray, protocol: Protocol, word: str = DEFAULT) -> list[np.ndarray]:
    """The views of an image, resized only once to each scale.

    Raises:
        UnreadableError: a view is too large.
    """
    scaled: dict[tuple[object, ...], np.ndarray] = {}
    views = []
    for crop in protocol.crops(*pixels.shape[:2]):
        if crop.window.height * crop.window.width > LARGEST_VIEW:
            raise UnreadableError(
                f"{pixels.shape[1]} x {pixels.shape[0]} pixels are seen as {crop.window.width} x "
                f"{crop.window.height}: more than {LARGEST_VIEW:,}"
            )
        if is_far_larger(crop) or reaches_beyond(crop):
            views.append(apply_crop(pixels, crop, None, word))
            continue
        key = (crop.box, crop.scaled)
        if key not in scaled:
            box = crop.box
            part = pixels[box.top : box.top + box.height, box.left : box.left + box.width]
            scaled[key] = resize_by(part, crop.scaled, word)
        top, left, height, width = crop.window
        views.append(scaled[key][top : top + height, left : left + width])
    return views
