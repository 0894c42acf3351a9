"""Images of a split as a network sees them: all of a small one, or those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnn_jax.data import sources
from cnn_jax.data.records import Request
from cnn_jax.inference.multi_view import check_record
from cnn_jax.inference.restored import Restored
from cnn_jax.training.progress import Waiting

AT_ONCE = 256


@dataclass(frozen=True)
class Examples:
    """Some examples of a split.

    Attributes:
        images: uint8 (N, H, W, C).
        labels: int (N,).
        numbers: of the examples in the split, int (N,).
        of: how many the split has.
        class_names: one a class.
    """

    images: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray
    of: int
    class_names: tuple[str, ...]


def examples_of(
    restored: Restored,
    split_name: str,
    most: int | None = None,
    numbers: Sequence[int] | None = None,
    force: bool = False,
) -> Examples:
    """Returns examples of a split, those that can be read.

    Args:
        restored: the network; its config says where the data is.
        split_name: of the split.
        most: take so many, evenly spread; None: all.
        numbers: take these instead, in this order.
        force: whether data that differs from that of training is accepted.

    Raises:
        InputError: the data does not fit the network, or cannot be read.
    """
    data = restored.config.data
    with Waiting(f"reading {data.directory or data.source}") as waiting:
        dataset = sources.dataset_for(restored.config, resident=())
        shape = dataset.image_shape
        check_record(restored.preprocessing, dataset.class_names, shape[2], force, shape)
        split = dataset.split(split_name)
        if numbers is None:
            few = len(split) if most is None else min(most, len(split))
            chosen = np.unique(np.linspace(0, len(split) - 1, few).round().astype(int))
        else:
            chosen = np.asarray(numbers, int)
        parts = [chosen[first : first + AT_ONCE] for first in range(0, len(chosen), AT_ONCE)]
        images, labels, kept = [np.zeros((0, *shape), np.uint8)], [np.zeros(0, int)], [chosen[:0]]
        for ids, batch in zip(parts, split.batches(Request(p) for p in parts), strict=True):
            images.append(batch.images[batch.readable])
            labels.append(batch.labels[batch.readable])
            kept.append(ids[batch.readable])
            waiting.done(sum(map(len, labels)), len(chosen))
    return Examples(
        np.concatenate(images),
        np.concatenate(labels),
        np.concatenate(kept),
        len(split),
        tuple(dataset.class_names),
    )
