"""The one way in which images are resized and cropped on the host.

A crop costs what it takes, and no more: where the resized image would be far larger than the window
that is cut out of it, as for a line of 1 x 20,000 pixels, only the window is made, with the same
pixels (`resized_window`).
"""

from __future__ import annotations

import cv2
import numpy as np

from cnn_jax.data.crops import Box, Crop
from cnn_jax.data.interpolation import AREA, DEFAULT, PILLOW, by_area, by_pillow

# Images are spread over threads: one image on several would only get in the way.
cv2.setNumThreads(1)

# A resized image of so many pixels, or of so many times its window, is made whole: of photographs
# all are, and for them OpenCV is ten times as fast as the window alone in numpy.
MADE_WHOLE = 1 << 22
TIMES_ITS_WINDOW = 4
WEIGHT_BITS = 11  # of the fixed-point weights of OpenCV's bilinear filter


def apply_crop(
    image: np.ndarray, crop: Crop, out: np.ndarray | None = None, word: str = DEFAULT
) -> np.ndarray:
    """Returns what a crop takes of an image.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        crop: within the image.
        out: uint8 of the size of the window, to be filled; None: a new array.
        word: the filter, see `interpolation`.
    """
    if reaches_beyond(crop):
        return _onto_black(image, crop, out, word)
    box, window = crop.box, crop.window
    part = image[box.top : box.top + box.height, box.left : box.left + box.width]
    if out is None:
        out = np.empty((window.height, window.width, image.shape[2]), np.uint8)
    if part.shape[:2] == crop.scaled:
        out[...] = _cut(part, window)
    elif word in PILLOW:
        out[...] = by_pillow(part, crop.scaled, window, not is_far_larger(crop), word)
    elif word == AREA and _both_shrink(part, crop.scaled):
        out[...] = _cut(by_area(part, crop.scaled), window)
    elif (window.height, window.width) == crop.scaled:
        resize(part, crop.scaled, out)
    elif is_far_larger(crop):
        out[...] = resized_window(part, crop.scaled, window)
    else:
        out[...] = _cut(resize(part, crop.scaled), window)
    return out


def reaches_beyond(crop: Crop) -> bool:
    """Returns whether a part of the window lies beside the resized image."""
    (height, width), window = crop.scaled, crop.window
    inside = window.top >= 0 and window.left >= 0
    return not (
        inside and window.top + window.height <= height and window.left + window.width <= width
    )


def _onto_black(image: np.ndarray, crop: Crop, out: np.ndarray | None, word: str) -> np.ndarray:
    """What a crop takes whose window lies beside the image in part, where it is black."""
    window = crop.window
    if out is None:
        out = np.empty((window.height, window.width, image.shape[2]), np.uint8)
    out[...] = 0
    top, left = max(window.top, 0), max(window.left, 0)
    height = min(window.top + window.height, crop.scaled[0]) - top
    width = min(window.left + window.width, crop.scaled[1]) - left
    if height > 0 and width > 0:
        there = crop._replace(window=Box(top, left, height, width))
        at = Box(top - window.top, left - window.left, height, width)
        _cut(out, at)[...] = apply_crop(image, there, None, word)
    return out


def resize_by(image: np.ndarray, size: tuple[int, int], word: str) -> np.ndarray:
    """Returns an image resized by a filter, see `interpolation`.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        size: height and width.
        word: the filter.
    """
    whole = Box(0, 0, *size)
    return apply_crop(image, Crop(Box(0, 0, *image.shape[:2]), size, whole), None, word)


def _both_shrink(image: np.ndarray, size: tuple[int, int]) -> bool:
    return size[0] <= image.shape[0] and size[1] <= image.shape[1]


def is_far_larger(crop: Crop) -> bool:
    """Returns whether a resized image is so much larger than its window that it is never made."""
    height, width = crop.scaled
    window = crop.window.height * crop.window.width
    return height * width > max(MADE_WHOLE, TIMES_ITS_WINDOW * window)


def resize(image: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None) -> np.ndarray:
    """Returns an image resized: mean over square blocks, then bilinear.

    An image of which both sides shrink to a half or less is first reduced by a whole factor, each
    pixel the mean of its block, so that no pixel is passed over; the rest is bilinear between pixel
    centres. OpenCV's area filter, which would do both in one, halves the speed of a whole crop.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        size: height and width.
        out: uint8 (height, width, C), to be filled; None: a new array.
    """
    h, w = size
    if out is None:
        out = np.empty((h, w, image.shape[2]), np.uint8)
    image = _reduced(image, size)
    if image.shape[:2] == size:
        out[...] = image
    else:
        cv2.resize(image, (w, h), dst=out, interpolation=cv2.INTER_LINEAR)
    return out


def resized_window(image: np.ndarray, size: tuple[int, int], window: Box) -> np.ndarray:
    """Returns a window of `resize(image, size)`, in time and memory of the window alone.

    The arithmetic is that of OpenCV's bilinear filter for uint8, with weights of 11 bits.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        size: height and width of the resized image.
        window: within it.

    Returns:
        uint8 (height, width, C) of the window.
    """
    image = _reduced(image, size)
    rows, down = _positions(image.shape[0], size[0], window.top, window.height)
    columns, across = _positions(image.shape[1], size[1], window.left, window.width)
    across = np.where((columns < 0) | (columns >= image.shape[1] - 1), np.float32(0), across)
    total = np.full((window.height, window.width, image.shape[2]), 2, np.int32)
    for i, of_row in enumerate(_weights(down)):
        row = (rows + i).clip(0, image.shape[0] - 1)
        line = np.zeros_like(total)
        for j, of_column in enumerate(_weights(across)):
            column = (columns + j).clip(0, image.shape[1] - 1)
            line += image[np.ix_(row, column)] * of_column[:, None]
        total += (line >> 4) * of_row[:, None, None] >> 16
    return (total >> 2).clip(0, 255).astype(np.uint8)


def _cut(image: np.ndarray, window: Box) -> np.ndarray:
    top, left, height, width = window
    return image[top : top + height, left : left + width]


def _reduced(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image, smaller by the whole factor by which both of its sides shrink."""
    (height, width), (h, w) = image.shape[:2], size
    factor = min(height // h, width // w)
    if factor <= 1:
        return image
    rows, columns = height // factor, width // factor
    # What is left over at the edges is less than a pixel of the output.
    top, left = (height - rows * factor) // 2, (width - columns * factor) // 2
    image = image[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    return small.reshape(rows, columns, image.shape[2])  # OpenCV drops a single channel


def _positions(length: int, size: int, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels of a resized side lie in the original: the pixel before, and how far behind."""
    scale = 1.0 / (size / length)  # as OpenCV has it, to the last bit
    at = ((np.arange(first, first + count) + 0.5) * scale - 0.5).astype(np.float32)
    before = np.floor(at)
    return before.astype(np.int64), at - before


def _weights(behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of the pixel before and of the one after, in fixed point."""
    one = np.float32(1 << WEIGHT_BITS)
    before, after = (np.rint(part * one).astype(np.int32) for part in (1 - behind, behind))
    return before, after
