"""DeepDream: an image is changed so that a layer says more of what it says already.

A. Mordvintsev, C. Olah, M. Tyka (2015), Inceptionism; `dream.ipynb` of github.com/google/deepdream,
whose constants these are: half the squared norm of a layer, whose gradient there is the layer
itself; steps of 1.5 in the mean, 10 an octave, 4 octaves of 1.4, the image rolled by up to 32
pixels before each step, clipped to [0, 255] after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from cnn_jax.config.problems import InputError

Features = Callable[[jax.Array], jax.Array]  # pixels (1, H, W, C) -> activation of the layer
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Dreaming:
    """How one dreams; the defaults are the notebook's.

    Attributes:
        iterations: steps in an octave.
        octaves: sizes of the image, smallest first.
        scale: of one octave to the next.
        step: mean change of a pixel in a step.
        jitter: pixels by which the image is rolled at most.
        seed: of the rolls.
    """

    iterations: int = 10
    octaves: int = 4
    scale: float = 1.4
    step: float = 1.5
    jitter: int = 32
    seed: int = 0


def objective(features: Features, guide: np.ndarray | None = None) -> Features:
    """Returns what is increased: pixels -> scalar.

    Args:
        features: of the layer.
        guide: activations of that layer on a guide image, (1, h, w, C): each position is then drawn
            towards the position of the guide with which its dot product is largest.
    """
    if guide is None:
        return lambda pixels: (features(pixels) ** 2).sum() / 2
    known = jnp.asarray(guide.reshape(-1, guide.shape[-1]))

    def guided(pixels: jax.Array) -> jax.Array:
        here = features(pixels)
        flat = here.reshape(-1, here.shape[-1])
        best = known[(flat @ known.T).argmax(1)]
        return (flat * jax.lax.stop_gradient(best)).sum()

    return guided


def ascended(
    slope: Callable[[jax.Array], jax.Array], pixels: np.ndarray, how: Dreaming, shift: np.ndarray
) -> np.ndarray:
    """Returns an image after one step, rolled by `shift` meanwhile.

    Args:
        slope: pixels (1, H, W, C) -> derivative of what is increased.
        pixels: (H, W, C), [0, 255].
        how: its step; 0 changes nothing.
        shift: rows and columns.

    Raises:
        InputError: the derivative is zero everywhere: the layer says nothing.
    """
    rolled = np.roll(pixels, shift, axis=(0, 1))
    up = np.asarray(slope(jnp.asarray(rolled[None], jnp.float32)))[0]
    mean = float(np.abs(up).mean())
    if not mean > 0 or not np.isfinite(mean):
        raise InputError("the layer's gradient is zero at the image: it says nothing there")
    stepped = np.roll(rolled + how.step / mean * up, -shift, axis=(0, 1))
    return np.clip(stepped, 0, 255) if how.step else pixels


def dream(
    gain: Features,
    image: np.ndarray,
    how: Dreaming = Dreaming(),
    fits: Callable[[tuple[int, int]], bool] = lambda size: True,
    report: Report = lambda done, of: None,
) -> np.ndarray:
    """Returns a dream of an image.

    Args:
        gain: of `objective`.
        image: (H, W, C), [0, 255].
        how: its constants.
        fits: whether the layer sees images of so many rows and columns; octaves that are too small
            are left out.
        report: is told how many steps of all are done.

    Returns:
        float32 (H, W, C), [0, 255].
    """
    slope = jax.jit(jax.grad(gain))
    octaves = [image.astype(np.float32)]
    while len(octaves) < how.octaves:
        height, width = (max(1, round(side / how.scale)) for side in octaves[-1].shape[:2])
        if not fits((height, width)):
            break
        octaves.append(zoomed(octaves[-1], (height, width)))
    draws = np.random.default_rng(how.seed)
    detail = np.zeros_like(octaves[-1])
    total, done = len(octaves) * how.iterations, 0
    for ground in reversed(octaves):
        detail = zoomed(detail, ground.shape[:2])
        pixels = ground + detail
        for _ in range(how.iterations):
            shift = draws.integers(-how.jitter, how.jitter + 1, 2)
            pixels = ascended(slope, pixels, how, shift)
            done += 1
            report(done, total)
        detail = pixels - ground
    return octaves[0] + detail


def zoomed(pixels: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Returns pixels (H, W, C) at another size, bilinearly; at its own size unchanged."""
    if pixels.shape[:2] == tuple(size):
        return pixels
    factors = (size[0] / pixels.shape[0], size[1] / pixels.shape[1], 1)
    return ndimage.zoom(pixels, factors, order=1, mode="nearest").astype(np.float32)


def frames(
    dreamt: Callable[[np.ndarray], np.ndarray], image: np.ndarray, count: int, closer: float = 0.05
) -> Iterator[np.ndarray]:
    """Yields dreams of dreams, each a little closer than the one before.

    Args:
        dreamt: an image -> its dream.
        image: the first one, (H, W, C), [0, 255].
        count: of the frames.
        closer: share of the image that is lost from one frame to the next.
    """
    height, width = image.shape[:2]
    offset = (height * closer / 2, width * closer / 2, 0)
    for _ in range(count):
        image = dreamt(image)
        yield image
        image = ndimage.affine_transform(
            image, (1 - closer, 1 - closer, 1), offset, order=1, mode="nearest"
        )
