"""The sheet of explanations: a row an image, a column a method."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cnn_jax.seeing.explanations import Explained
from cnn_jax.seeing.shades import from_black, laid_over, signed
from cnn_jax.seeing.sheet import Panel

SHOWN = {
    "gradient": "its modulus, the largest of all channels",
    "smooth_grad": "the same of the mean over 25 noisy images",
    "guided": "signed, grey is zero",
    "deconvnet": "signed, grey is zero",
    "integrated": "summed over channels: white for the class, black against it",
    "grad_cam": "over the image, bright for the class",
    "occlusion": "over the image, bright where covering lowers the score",
}


def panel_of(method: str, image: np.ndarray, explained: Explained) -> Panel:
    """Returns what a method says as a picture, with its most important number.

    Args:
        method: of `explanations.METHODS`.
        image: uint8 (H, W, C).
        explained: of it.
    """
    values, numbers = explained
    if method in ("gradient", "smooth_grad"):
        return Panel(from_black(np.abs(values).max(-1)), f"to {np.abs(values).max():.2g}")
    if method in ("guided", "deconvnet"):
        return Panel(signed(values), f"to {np.abs(values).max():.2g}")
    if method == "integrated":
        return Panel(signed(values.sum(-1)), f"gap {numbers['gap']:.2g}")
    if method == "occlusion":
        return Panel(laid_over(image, values), f"falls {numbers['largest_fall']:.3g}")
    if numbers["largest"] <= 0:
        return Panel(laid_over(image, np.zeros(image.shape[:2])), "zero everywhere")
    return Panel(laid_over(image, resized(values, image.shape[:2])), f"to {numbers['largest']:.2g}")


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns (h, w) brought to (H, W) bilinearly."""
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR), np.float64)
