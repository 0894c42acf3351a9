"""Inversion: an image of which a layer says the same as of a given one.

A. Mahendran, A. Vedaldi (2015), Understanding deep image representations by inverting them,
arXiv:1412.0035, equations 2 to 5; both terms after the first are divided as in the longer paper
(2016, Visualizing deep convolutional neural networks using natural pre-images, section 3).

What is minimised, of an image u, in pixels about the mean that the network subtracts:

    |Phi(u) - Phi(u0)|^2 / |Phi(u0)|^2  +  mean (|u| / B)^6  +  tv mean |grad u|^2 / V^2

with B the farthest that black or white is from the mean (theirs: 80, of photographs) and V =
B / 6.5. They descend with momentum; here it is L-BFGS, within [0, 255].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.seeing.lbfgs import Report, minimise

VARIATIONS: Final = 6.5  # B / V
POWER: Final = 6
NOISE: Final = 10.0  # deviation of the start, pixels


@dataclass(frozen=True)
class Inverted:
    """An image made from what a layer says.

    Attributes:
        image: float32 (H, W, C), [0, 255].
        distance: |Phi(x) - Phi(x0)|^2 / |Phi(x0)|^2 at the end.
        losses: what was minimised, after each iteration.
    """

    image: np.ndarray
    distance: float
    losses: list[float]


def invert(
    features: Callable[[jax.Array], jax.Array],
    image: np.ndarray,
    centre: np.ndarray,
    total_variation: float = 0.05,
    iterations: int = 200,
    seed: int = 0,
    report: Report = lambda done, of: None,
) -> Inverted:
    """Returns an image of which a layer says nearly the same as of another.

    Args:
        features: pixels (1, H, W, C) -> what the layer says.
        image: (H, W, C), [0, 255].
        centre: what the network subtracts, pixels, (C,) or (H, W, C).
        total_variation: weight of the last term; 0.5, 5 and 50 were reported for VGG-16, more for
            deeper layers.
        iterations: at most so many.
        seed: of the noise that it begins with.
        report: is told how many iterations of all are done.

    Raises:
        InputError: the layer says nothing of the image: all of it is 0.
    """
    wanted = features(jnp.asarray(image[None], jnp.float32))
    norm = (wanted**2).sum()
    if not float(norm) > 0:
        raise InputError("the layer says nothing of the image: all of it is 0, or not finite")
    mean = jnp.asarray(centre, jnp.float32)
    largest = float(np.maximum(centre, 255 - np.asarray(centre)).max())

    def distance(pixels: jax.Array) -> jax.Array:
        return ((features(pixels[None]) - wanted) ** 2).sum() / norm

    def loss(pixels: jax.Array) -> jax.Array:
        bounded = (jnp.abs(pixels - mean) / largest) ** POWER
        rough = variation(pixels * VARIATIONS / largest)
        return distance(pixels) + bounded.mean() + total_variation * rough

    draws = np.random.default_rng(seed)
    noise = NOISE * draws.standard_normal(image.shape)
    start = np.clip(np.broadcast_to(centre, image.shape) + noise, 0, 255)
    found, losses = minimise(loss, start, iterations, (0.0, 255.0), report)
    return Inverted(found, float(jax.jit(distance)(jnp.asarray(found))), losses)


def variation(pixels: jax.Array) -> jax.Array:
    """Returns the mean over pixels of |grad|^2 of (H, W, C), summed over channels."""
    down, right = jnp.diff(pixels, axis=0), jnp.diff(pixels, axis=1)
    positions = pixels.shape[0] * pixels.shape[1]
    return ((down**2).sum() + (right**2).sum()) / positions
