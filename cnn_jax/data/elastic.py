"""Elastic distortions: smooth random fields by which the pixels of an image are displaced.

P. Y. Simard, D. Steinkraus, J. C. Platt (2003), Best Practices for Convolutional Neural Networks
Applied to Visual Document Analysis, ICDAR, section 2: for each direction a number from U[-1, 1] at
every pixel, convolved with a Gaussian of standard deviation sigma, times alpha. The best values on
MNIST, at 29x29, were sigma = 4 and alpha = 34.

The paper also speaks of a field of norm 1, and does not say whether alpha multiplies that. Here the
field is not normalised: with those values a displacement is 1.28 pixels in each direction, root
mean square; from fields of norm 1 it would be 34 / 29 = 1.17 pixels.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

TRUNCATED = 4.0  # standard deviations beyond which the Gaussian is cut off


def displacements(key: jax.Array, height: int, width: int, alpha: float, sigma: float) -> jax.Array:
    """Returns a random field of displacements.

    What lies outside the image counts as zero in the convolution: pixels near the border are
    displaced less.

    Args:
        key: of the draws.
        height: of the image, pixels.
        width: of the image, pixels.
        alpha: multiplier of the smoothed field, pixels.
        sigma: standard deviation of the Gaussian, pixels; above 0.

    Returns:
        (2, height, width): pixels down and right, at every pixel, to where its new value is read.
    """
    draws = jax.random.uniform(key, (2, height, width), float, -1.0, 1.0)
    down = jnp.asarray(alpha * gaussian_matrix(height, sigma), draws.dtype)
    right = jnp.asarray(gaussian_matrix(width, sigma), draws.dtype)
    return jnp.matmul(jnp.matmul(down, draws, precision="highest"), right, precision="highest")


def gaussian_matrix(length: int, sigma: float) -> np.ndarray:
    """Returns the matrix that convolves a signal, zero outside, with a Gaussian whose sum is 1.

    Args:
        length: of the signal.
        sigma: standard deviation, in samples; above 0.

    Returns:
        float64 (length, length), symmetric.
    """
    radius = int(TRUNCATED * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    apart = np.arange(length)[:, None] - np.arange(length)
    return np.where(abs(apart) <= radius, weights[np.clip(apart + radius, 0, 2 * radius)], 0.0)
