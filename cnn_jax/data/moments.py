"""Sums over the pixels of many images, exact: means and covariances follow."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.manifest import Report
from cnn_jax.data.records import Request
from cnn_jax.data.streams import RecordSplit, pixels_of
from cnn_jax.data.unreadable import UnreadableError

SAMPLE, SAMPLE_AT_ONCE = 4096, 64


@dataclass(frozen=True)
class Moments:
    """Sums over images of one size.

    Attributes:
        images: how many.
        sums: of the pixels at each place, (H, W, C), on the scale [0, 255].
        products: of each pair of channels, over all pixels, (C, C).
    """

    images: int
    sums: np.ndarray
    products: np.ndarray

    @property
    def mean_image(self) -> np.ndarray:
        """The mean at each place, (H, W, C), on the scale [0, 1]."""
        return self.sums / self.images / 255

    @property
    def mean(self) -> np.ndarray:
        """The mean of each channel, (C,), on the scale [0, 1]."""
        return self.mean_image.mean((0, 1))

    @property
    def covariance(self) -> np.ndarray:
        """The covariance of the channels over all pixels, (C, C), of pixels on the scale [0, 1]."""
        pixels = self.images * self.sums.shape[0] * self.sums.shape[1]
        return self.products / pixels / 255**2 - np.outer(self.mean, self.mean)

    @property
    def std(self) -> np.ndarray:
        """The standard deviation of each channel, (C,), on the scale [0, 1]."""
        return np.sqrt(np.diag(self.covariance).clip(0))


def moments_of(split: AnySplit) -> Moments:
    """Returns the moments of a split: of 4,096 images spread evenly over it, or of all of fewer.

    Images that are read from files are cropped as in testing; those that cannot be read are left
    out.
    """
    count = min(len(split), SAMPLE)
    ids = np.arange(count) * len(split) // count
    parts = np.split(ids, range(SAMPLE_AT_ONCE, count, SAMPLE_AT_ONCE))
    channels = split.image_shape[2]
    images, sums, products = 0, np.zeros(split.image_shape), np.zeros((channels, channels))
    for batch in split.batches(Request(part) for part in parts):
        pixels = batch.images[batch.readable]
        images += len(pixels)
        sums += pixels.sum(0, dtype=np.int64)
        products += products_of(pixels)
    return Moments(images, sums, products)


def products_of(pixels: np.ndarray) -> np.ndarray:
    """Returns the sums of products of channels of uint8 pixels (..., C), (C, C): exact."""
    flat = pixels.reshape(-1, pixels.shape[-1]).astype(np.float64)
    return flat.T @ flat


def covariance_of_files(split: RecordSplit, report: Report, most: int = 10_000) -> np.ndarray:
    """Returns the covariance of the channels over all pixels of whole images, (C, C), in [0, 1].

    Args:
        split: as its source holds it; images that cannot be read are left out.
        report: told of the progress.
        most: so many images, spread evenly over the split, are looked at.

    Raises:
        InputError: none can be read.
    """
    count = min(len(split), most)
    ids = np.arange(count) * len(split) // count
    channels = split.channels
    pixels, sums, products = 0, np.zeros(channels), np.zeros((channels, channels))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for first in range(0, count, SAMPLE_AT_ONCE):
            part = ids[first : first + SAMPLE_AT_ONCE]
            for found in pool.map(lambda example: _sums_of(split, int(example)), part):
                if found is not None:
                    pixels, sums, products = (
                        pixels + found[0],
                        sums + found[1],
                        products + found[2],
                    )
            report("principal components", first + len(part), count)
    if not pixels:
        raise InputError("the train split holds no image that can be read")
    mean = sums / pixels / 255
    return products / pixels / 255**2 - np.outer(mean, mean)


def _sums_of(split: RecordSplit, example: int) -> tuple[int, np.ndarray, np.ndarray] | None:
    try:
        image = pixels_of(split.record(example), split.channels)
    except UnreadableError:
        return None
    return image.shape[0] * image.shape[1], image.sum((0, 1), dtype=np.int64), products_of(image)
