"""The crops that papers train with, and the registry of all crop rules.

| paper | rule |
|---|---|
| AlexNet, ZFNet (Krizhevsky et al. 2012, section 2 and 4.1) | `central_square` |
| VGG, ResNet on ILSVRC (Simonyan & Zisserman 2015, section 3.1) | `scale_jitter` |
| GoogLeNet, Inception (Szegedy et al. 2015, section 6) | `random_resized` |
| fb.resnet.torch (Gross & Wilber 2016, datasets/transforms.lua) | `random_sized_2016` |
| evaluation of most networks | `shorter_side` |
| evaluation of torchvision's weights, to the pixel | `torchvision_centre` |
| LeNet-5 on MNIST (LeCun et al. 1998, section II.B): 28x28 in the middle of 32x32 | `padded` |

Images of CIFAR-10 and the like are shifted on the device, see `augment`: to pad by 4 pixels and
take a crop of the old size is a shift by at most 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Pixels
from cnn_jax.data.crops import (
    TRIES,
    Box,
    Crop,
    CropRule,
    RandomResized,
    ShorterSide,
    Whole,
    integer,
    uniform,
    with_shorter_side,
)


@dataclass(frozen=True)
class CentralSquare:
    """The central square, resized; then a smaller square out of it.

    Krizhevsky et al. 2012: the shorter side is rescaled to 256 and the central 256 x 256 cropped
    out (section 2), of which training sees 224 x 224 at random (section 4.1). The paper counts 32
    positions along a side; here all 33 are drawn. Its 227 of Caffe is `size=227`.

    Attributes:
        size: height and width of the output, pixels.
        side: of the central square after the resize, pixels; at least `size`.
        position: `centre`, or `random`: every position equally likely.
    """

    size: Pixels = 224
    side: Pixels = 256
    position: Literal["centre", "random"] = "random"

    @property
    def random(self) -> bool:
        """Whether the position is drawn."""
        return self.position == "random"

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns a square of the central square."""
        scaled = with_shorter_side(height, width, self.side)
        free = self.side - self.size
        if self.random:
            top, left = integer(rng, free + 1), integer(rng, free + 1)
        else:
            top, left = free // 2, free // 2
        top, left = top + (scaled[0] - self.side) // 2, left + (scaled[1] - self.side) // 2
        return Crop(Box(0, 0, height, width), scaled, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class ScaleJitter:
    """The shorter side resized to a random length, aspect kept; then a square out of it at random.

    Simonyan & Zisserman 2015, section 3.1: the length S is uniform in [256, 512], and the square
    224 x 224. With equal bounds it is the paper's training at a single scale. He et al. 2016,
    section 3.4, train on the same.

    Attributes:
        size: height and width of the output, pixels.
        smallest_side: of the resized image, pixels; at least `size`.
        largest_side: of the resized image, pixels.
    """

    size: Pixels = 224
    smallest_side: Pixels = 256
    largest_side: Pixels = 512

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns a random square of the image at a random scale."""
        side = self.smallest_side + integer(rng, self.largest_side - self.smallest_side + 1)
        scaled = with_shorter_side(height, width, side)
        top = integer(rng, scaled[0] - self.size + 1)
        left = integer(rng, scaled[1] - self.size + 1)
        return Crop(Box(0, 0, height, width), scaled, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class RandomSized2016:
    """A rectangle of random area and aspect, resized to a square, as in fb.resnet.torch.

    S. Gross, M. Wilber (2016), Training and investigating Residual Nets, datasets/transforms.lua,
    RandomSizedCrop: area uniform between 8 % and 100 %, aspect uniform between 3/4 and 4/3, then
    sides exchanged with probability 1/2; after ten rectangles that do not fit, the central square
    of the image whose shorter side is resized to `size`. The interpolation there is bicubic.

    Attributes:
        size: height and width of the output, pixels.
        smallest_area: as a fraction of the image.
        narrowest: smallest width / height before the exchange.
        widest: largest width / height before the exchange.
    """

    size: Pixels = 224
    smallest_area: float = 0.08
    narrowest: float = 0.75
    widest: float = 1.3333333333333333

    @property
    def random(self) -> bool:
        """Always."""
        return True

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns a random rectangle of the image."""
        output = Box(0, 0, self.size, self.size)
        for _ in range(TRIES):
            area = height * width * uniform(rng, self.smallest_area, 1.0)
            aspect = uniform(rng, self.narrowest, self.widest)
            h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if rng.random() < 0.5:
                h, w = w, h
            if 0 < h <= height and 0 < w <= width:
                box = Box(integer(rng, height - h + 1), integer(rng, width - w + 1), h, w)
                return Crop(box, (self.size, self.size), output)
        return ShorterSide(self.size, self.size)(rng, height, width)


@dataclass(frozen=True)
class TorchvisionCentre:
    """The shorter side resized, then the central square, with torchvision's rounding.

    torchvision, `Resize(int)` and `CenterCrop` of transforms/functional.py: the longer side is cut
    off to a whole number of pixels, where `shorter_side` rounds it, and half a pixel of an offset
    is rounded to the even one, where `shorter_side` cuts it off. With `data.resize =
    antialiased_bilinear` the pixels are those of torchvision on Pillow's images.

    Attributes:
        size: height and width of the square, pixels.
        shorter_side: of the resized image, pixels; at least `size`.
    """

    size: Pixels = 224
    shorter_side: Pixels = 256

    @property
    def random(self) -> bool:
        """Never."""
        return False

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns the central square of the resized image."""
        shorter = min(height, width)
        scaled = (
            self.shorter_side * height // shorter,
            self.shorter_side * width // shorter,
        )
        top, left = (round((length - self.size) / 2) for length in scaled)
        return Crop(Box(0, 0, height, width), scaled, Box(top, left, self.size, self.size))


@dataclass(frozen=True)
class Padded:
    """The image in the middle of a larger black square.

    LeCun et al. 1998, section II.B: images of 28x28 in the middle of 32x32. Where a margin is odd,
    the larger half of it is below, or on the right.

    Attributes:
        size: height and width of the square, pixels.
        longer_side: to which that of the image is resized before, pixels, aspect kept; None: the
            image as it is.
    """

    size: Pixels = 32
    longer_side: Pixels | None = None

    @property
    def random(self) -> bool:
        """Never."""
        return False

    def __call__(self, rng: np.random.Generator, height: int, width: int) -> Crop:
        """Returns the square.

        Raises:
            InputError: the image is larger than the square.
        """
        rows, columns = scaled = self._scaled(height, width)
        if max(scaled) > self.size:
            raise InputError(
                f"crop 'padded': {columns} x {rows} pixels do not fit into the square of size = "
                f"{self.size} in whose middle they should stand; give a larger size, or a "
                f"longer_side of {self.size} or less, to which images are resized before"
            )
        top, left = -((self.size - rows) // 2), -((self.size - columns) // 2)
        window = Box(top, left, self.size, self.size)
        return Crop(Box(0, 0, height, width), scaled, window)

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        if self.longer_side is None:
            return height, width
        scale = self.longer_side / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))


CROPS: dict[str, Callable[..., CropRule]] = {
    "central_square": CentralSquare,
    "padded": Padded,
    "random_resized": RandomResized,
    "random_sized_2016": RandomSized2016,
    "scale_jitter": ScaleJitter,
    "shorter_side": ShorterSide,
    "torchvision_centre": TorchvisionCentre,
    "whole": Whole,
}
