"""Colours in style transfer: those of the content kept, or those of the style matched to them.

L. Gatys, A. Ecker, M. Bethge, A. Hertzmann, E. Shechtman (2017), Controlling perceptual factors in
neural style transfer, arXiv:1611.07865, section 5; and their earlier note, Preserving color in
neural artistic style transfer (2016, arXiv:1606.05897), sections 3 and 4.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

LUMINANCE: Final = np.array([0.299, 0.587, 0.114])  # of R, G, B: the Y of YIQ
EPSILON: Final = 1e-5  # added to the diagonal of a covariance, on the scale [0, 1]
Match = Literal["cholesky", "pca", "symmetric"]


def luminance(image: np.ndarray) -> np.ndarray:
    """Returns the luminance of RGB (H, W, 3), or grey itself, as (H, W, 1)."""
    return image @ LUMINANCE[:, None] if image.shape[-1] == 3 else image


def matched_luminance(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Returns the luminance of a style image with the mean and deviation of the content's.

    Args:
        style: (h, w, C), [0, 255].
        content: (H, W, C), [0, 255].
    """
    of_style, of_content = luminance(style), luminance(content)
    scale = of_content.std() / max(float(of_style.std()), 1e-6)
    return np.clip(scale * (of_style - of_style.mean()) + of_content.mean(), 0, 255)


def with_colours_of(luminance_of: np.ndarray, colours_of: np.ndarray) -> np.ndarray:
    """Returns the luminance of one image with the colours of another of its size, [0, 255].

    In YIQ, whose other coordinates do not change when one number is added to R, G and B.

    Args:
        luminance_of: (H, W, C).
        colours_of: (H, W, C).
    """
    apart = luminance(luminance_of) - luminance(colours_of)
    return np.clip(colours_of + apart, 0, 255)


def matched_colours(style: np.ndarray, content: np.ndarray, how: Match = "symmetric") -> np.ndarray:
    """Returns a style image whose pixels have the mean and covariance of the content's.

    A linear map of the colours; of all that do so, `how` names one.

    Args:
        style: (h, w, C), [0, 255].
        content: (H, W, C), [0, 255].
        how: `cholesky`, `pca` (turned into the principal axes of the content) or `symmetric` (the
            least change).

    Returns:
        float (h, w, C), not clipped.
    """
    (mean, spread), (wanted_mean, wanted) = (_moments(image) for image in (style, content))
    if how == "cholesky":
        change = np.linalg.cholesky(wanted) @ np.linalg.inv(np.linalg.cholesky(spread))
    elif how == "pca":
        (axes, root), (wanted_axes, wanted_root) = (_axes(c) for c in (spread, wanted))
        change = wanted_axes @ np.diag(wanted_root / root) @ axes.T
    else:
        root = _root(spread)
        inverse = np.linalg.inv(root)
        change = inverse @ _root(root @ wanted @ root) @ inverse
    pixels = style.reshape(-1, style.shape[-1]) / 255
    return 255 * ((pixels - mean) @ change.T + wanted_mean).reshape(style.shape)


def _moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the pixels, on the scale [0, 1]."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float64) / 255
    mean = pixels.mean(0)
    covariance = (pixels - mean).T @ (pixels - mean) / len(pixels)
    return mean, covariance + EPSILON * np.eye(len(mean))


def _axes(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes, in columns, and the deviations along them."""
    variances, axes = np.linalg.eigh(covariance)
    return axes, np.sqrt(np.maximum(variances, 0))


def _root(covariance: np.ndarray) -> np.ndarray:
    axes, deviations = _axes(covariance)
    return axes @ np.diag(deviations) @ axes.T
