"""Which part of an image the network sees, and how large: rules that the host applies to uint8.

A rule turns the size of an image and random draws into a `Crop`. It is pure arithmetic: no pixels
are touched here (`resize.apply_crop` does that). What acts on pixels of one size (mirror, colour,
normalisation) happens on the device, in the step. Draws come from a generator keyed by (seed, step,
position in the global batch), through `uniform` and `integer` alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from cnn_jax.config.values import Pixels

TRIES = 10


class Box(NamedTuple):
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int


class Crop(NamedTuple):
    """From an image to an output, in two stages; either may do nothing.

    Attributes:
        box: the part of the image that is resized.
        scaled: height and width to which it is resized.
        window: the part of the resized image that is kept: the output. What of it lies beyond the
            image is black.
    """

    box: Box
    scaled: tuple[int, int]
    window: Box


class CropRule(Protocol):
    """What a crop rule offers."""

    @property
    def size(self) -> int | None:
        """Height and width of the output, pixels; None: that of the image."""

    @property
    def random(self) -> bool:
        """Whether it draws: a rule that does not may be applied once, ahead of training."""

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns the crop of an image of `height` x `width`."""


@dataclass(frozen=True)
class Whole:
    """The image as it is; all images must have one size."""

    @property
    def size(self) -> int | None:
        """That of the image."""
        return None

    @property
    def random(self) -> bool:
        """Never."""
        return False

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns all of the image."""
        whole = Box(0, 0, height, width)
        return Crop(whole, (height, width), whole)


@dataclass(frozen=True)
class ShorterSide:
    """The shorter side resized, aspect kept; then a square out of it.

    Krizhevsky et al. 2012, section 2: shorter side 256, central 256 x 256; section 4.1: 224 x 224
    at random. Evaluation of most networks: shorter side 256, central 224.

    Attributes:
        size: height and width of the square, pixels.
        shorter_side: of the resized image, pixels; at least `size`.
        position: `centre`, or `random`: every position equally likely.
    """

    size: Pixels = 224
    shorter_side: Pixels = 256
    position: Literal["centre", "random"] = "centre"

    @property
    def random(self) -> bool:
        """Whether the position is drawn."""
        return self.position == "random"

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns a square of the resized image."""
        scaled = with_shorter_side(height, width, self.shorter_side)
        free = scaled[0] - self.size, scaled[1] - self.size
        if self.random:
            top, left = integer(rng, free[0] + 1), integer(rng, free[1] + 1)
        else:
            top, left = free[0] // 2, free[1] // 2
        return Crop(Box(0, 0, height, width), scaled, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class RandomResized:
    """A rectangle of random area and aspect, resized to a square.

    Szegedy et al. 2015, Going Deeper with Convolutions, section 6: area uniform between 8 % and
    100 % of the image, aspect between 3/4 and 4/3 (here log-uniform). After ten rectangles that do
    not fit, the largest central one of an allowed aspect is taken.

    Attributes:
        size: height and width of the output, pixels.
        smallest_area: as a fraction of the image.
        largest_area: as a fraction of the image.
        narrowest: smallest width / height.
        widest: largest width / height.
    """

    size: Pixels = 224
    smallest_area: float = 0.08
    largest_area: float = 1.0
    narrowest: float = 0.75
    widest: float = 1.3333333333333333

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns a random rectangle of the image."""
        output = Box(0, 0, self.size, self.size)
        return Crop(self._box(rng, height, width), (self.size, self.size), output)

    def _box(self, rng: np.random.Generator, height: int, width: int) -> Box:
        for _ in range(TRIES):
            area = height * width * uniform(rng, self.smallest_area, self.largest_area)
            aspect = math.exp(uniform(rng, math.log(self.narrowest), math.log(self.widest)))
            h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if 0 < h <= height and 0 < w <= width:
                return Box(integer(rng, height - h + 1), integer(rng, width - w + 1), h, w)
        h = min(height, max(1, round(width / self.narrowest)))
        w = min(width, max(1, round(height * self.widest)))
        return Box((height - h) // 2, (width - w) // 2, h, w)


def with_shorter_side(height: int, width: int, shorter_side: int) -> tuple[int, int]:
    """Returns height and width scaled so that the shorter one is `shorter_side`, aspect kept."""
    scale = shorter_side / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Returns a draw between `low` and `high`."""
    return low + (high - low) * rng.random()


def integer(rng: np.random.Generator, end: int) -> int:
    """Returns a draw from 0 to `end` less one.

    It is made of `random`, which numpy keeps from version to version, unlike `integers`.
    """
    return min(int(rng.random() * end), end - 1)


def draws(seed: int, step: int, position: int) -> np.random.Generator:
    """Returns the generator of one example: keyed by (seed, step, position in the global batch)."""
    # The order of epochs uses the same keys from counter 0 on: here the counter begins elsewhere.
    bits = np.random.Philox(
        key=np.array([seed, step], np.uint64), counter=np.array([0, 0, 1, position], np.uint64)
    )
    return np.random.Generator(bits)
