"""One small image: as matplotlib draws it, and as the bytes of a PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

SMALLEST = 96  # pixels of the shorter side, to which small images are enlarged, pixel by pixel


def shown(image: np.ndarray) -> np.ndarray:
    """Returns uint8 (H, W, C) as a picture is drawn: (H, W) where there is one channel."""
    return image[..., 0] if image.shape[-1] == 1 else image


def png(image: np.ndarray, smallest: int = SMALLEST) -> bytes:
    """Returns uint8 (H, W, C) as PNG; a small one is enlarged by a whole factor, pixel by pixel."""
    factor = max(1, -(-smallest // min(image.shape[:2])))
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    content = io.BytesIO()
    Image.fromarray(shown(large)).save(content, format="PNG", optimize=True)
    return content.getvalue()
