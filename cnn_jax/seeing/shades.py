"""Numbers as shades: what of an array is black, grey and white in a picture."""

from __future__ import annotations

from typing import Final

import numpy as np

GREY: Final = 128  # of a zero, where both signs matter
# Black, violet, red, yellow, white: brightness grows with the number, also without colours.
HEAT: Final = np.array(
    [[0, 0, 0], [80, 18, 123], [182, 54, 121], [251, 136, 97], [252, 253, 191]], np.float64
)


def signed(values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Returns numbers of both signs: zero is grey, the largest modulus black or white.

    Args:
        values: any shape.
        largest: modulus that is black or white; None: the largest here.

    Returns:
        uint8 of the same shape.
    """
    top = float(np.abs(values).max(initial=0)) if largest is None else largest
    scaled = values / top if top > 0 else np.zeros_like(values)
    return np.clip(np.round(GREY + 127 * scaled), 0, 255).astype(np.uint8)


def from_black(values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Returns numbers from zero on: zero and below are black, the largest is white.

    Args:
        values: any shape.
        largest: what is white; None: the largest here.

    Returns:
        uint8 of the same shape.
    """
    top = float(values.max(initial=0)) if largest is None else largest
    scaled = values / top if top > 0 else np.zeros_like(values)
    return np.clip(np.round(255 * scaled), 0, 255).astype(np.uint8)


def stretched(values: np.ndarray) -> np.ndarray:
    """Returns numbers from the smallest, black, to the largest, white; a constant is grey.

    Args:
        values: any shape.

    Returns:
        uint8 of the same shape.
    """
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.full(values.shape, GREY, np.uint8)
    return np.round(255 * (values - low) / (high - low)).astype(np.uint8)


def heat(values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Returns numbers from zero on as colours of heat.

    Args:
        values: (H, W).
        largest: what is brightest; None: the largest here.

    Returns:
        uint8 (H, W, 3).
    """
    place = from_black(values, largest) / 255 * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    rest = (place - low)[..., None]
    return np.round((1 - rest) * HEAT[low] + rest * HEAT[low + 1]).astype(np.uint8)


def laid_over(image: np.ndarray, values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Returns an image, grey, under colours of heat.

    Args:
        image: uint8 (H, W, C).
        values: (H, W), from zero on.
        largest: what is brightest; None: the largest here.

    Returns:
        uint8 (H, W, 3).
    """
    grey = image.mean(-1, keepdims=True)
    return np.round(0.4 * grey + 0.6 * heat(values, largest)).astype(np.uint8)
