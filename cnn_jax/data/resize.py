"""The one way in which images are resized and cropped on the host."""

from __future__ import annotations

import cv2
import numpy as np

from cnn_jax.data.crops import Crop

# Images are spread over threads: one image on several would only get in the way.
cv2.setNumThreads(1)


def apply_crop(image: np.ndarray, crop: Crop, out: np.ndarray | None = None) -> np.ndarray:
    """Returns what a crop takes of an image.

    Args:
        image: uint8 (H, W, C), C = 1 or 3.
        crop: within the image.
        out: uint8 of the size of the window, to be filled; None: a new array.
    """
    box, window = crop.box, crop.window
    part = image[box.top : box.top + box.height, box.left : box.left + box.width]
    if out is None:
        out = np.empty((window.height, window.width, image.shape[2]), np.uint8)
    if (window.height, window.width) == crop.scaled:
        resize(part, crop.scaled, out)
        return out
    scaled = part if part.shape[:2] == crop.scaled else resize(part, crop.scaled)
    out[...] = scaled[
        window.top : window.top + window.height, window.left : window.left + window.width
    ]
    return out


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
    (height, width), (h, w) = image.shape[:2], size
    if out is None:
        out = np.empty((h, w, image.shape[2]), np.uint8)
    factor = min(height // h, width // w)
    if factor > 1:
        rows, columns = height // factor, width // factor
        # What is left over at the edges is less than a pixel of the output.
        top, left = (height - rows * factor) // 2, (width - columns * factor) // 2
        image = image[top : top + rows * factor, left : left + columns * factor]
        image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    if image.shape[:2] == size:
        out[...] = image.reshape(out.shape)
    else:
        cv2.resize(image, (w, h), dst=out, interpolation=cv2.INTER_LINEAR)
    return out
