"""The filters by which `config.data.resize` may resize images, beside the one of `resize`.

| word | filter | as in |
|---|---|---|
| `bilinear` | mean over whole blocks, then OpenCV's linear, without antialias | here |
| `area` | OpenCV's `INTER_AREA` where both sides shrink, else `bilinear` | OpenCV, Caffe's tools |
| `antialiased_bilinear` | a triangle as wide as the shrinking asks for | Pillow, torchvision |
| `antialiased_bicubic` | Keys' cubic (1981), a = -1/2, as wide as that | Pillow, torchvision |

The last two are Pillow's own, to the bit, and take two to three times as long.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from PIL import Image

from cnn_jax.data.crops import Box

DEFAULT: Final = "bilinear"
AREA: Final = "area"
PILLOW: Final = {
    "antialiased_bilinear": Image.Resampling.BILINEAR,
    "antialiased_bicubic": Image.Resampling.BICUBIC,
}


def by_area(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image of which both sides shrink, each pixel the mean of the area that it covers.

    Args:
        image: uint8 (H, W, C).
        size: height and width, no larger than those of the image.
    """
    small = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return small.reshape(*size, image.shape[2])


def by_pillow(
    image: np.ndarray, size: tuple[int, int], window: Box, whole: bool, word: str
) -> np.ndarray:
    """Returns a window of an image as Pillow resizes it.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        size: height and width of the resized image.
        window: within it.
        whole: whether the resized image is made whole; otherwise the window alone, whose pixels may
            differ in the last bit.
        word: key of `PILLOW`.
    """
    one = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    top, left, height, width = window
    if whole:
        pixels = np.asarray(one.resize((size[1], size[0]), PILLOW[word]))
        pixels = pixels[top : top + height, left : left + width]
    else:
        down, across = image.shape[0] / size[0], image.shape[1] / size[1]
        box = (
            left * across,
            top * down,
            min((left + width) * across, image.shape[1]),
            min((top + height) * down, image.shape[0]),
        )
        pixels = np.asarray(one.resize((width, height), PILLOW[word], box=box))
    return pixels.reshape(height, width, image.shape[2])
