"""What a class looks like to a network: an image for which its score is large.

K. Simonyan, A. Vedaldi, A. Zisserman (2014), Deep inside convolutional networks, arXiv:1312.6034,
section 2: argmax S_c(I) - lambda |I|^2 over images I about the mean, from the zero image, S_c the
score before the softmax; the mean is added afterwards. Lambda is not printed there.

With transforms it is the more robust form of C. Olah, A. Mordvintsev, L. Schubert (2017), Feature
visualization, Distill: the image is padded, turned, scaled and shifted at random before each of 512
steps of Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.ndimage import map_coordinates

from cnn_jax.seeing.lbfgs import Report, minimise

Scores = Callable[[jax.Array], jax.Array]  # (B, H, W, C) -> logits (B, classes)
STEPS: Final = 512
RATE: Final = 0.05
# Of the transforms, for images of 224 pixels; of others in proportion.
FOR_SIDE: Final = 224
FIRST_JITTER, LAST_JITTER = 8, 4
SCALES: Final = (0.9, 1.1)
DEGREES: Final = 10.0
GREY: Final = 127.5  # what comes in from beyond the image


def class_model(
    scores: Scores,
    label: int,
    shape: tuple[int, int, int],
    penalty: float,
    iterations: int = 200,
    report: Report = lambda done, of: None,
) -> np.ndarray:
    """Returns the input of largest S_c - penalty |x|^2, float32 (H, W, C), from zeros.

    Args:
        scores: of what the network sees: normalised, zero at the mean.
        label: of the class.
        shape: (H, W, C).
        penalty: lambda, above 0: without it the score of a rectifier network has no maximum.
        iterations: of L-BFGS at most.
        report: is told how many iterations of all are done.
    """

    def loss(x: jax.Array) -> jax.Array:
        return penalty * (x**2).sum() - scores(x[None])[0, label]

    return minimise(loss, np.zeros(shape, np.float32), iterations, None, report)[0]


def robust_class_model(
    scores: Scores,
    label: int,
    shape: tuple[int, int, int],
    steps: int = STEPS,
    seed: int = 0,
    report: Report = lambda done, of: None,
) -> np.ndarray:
    """Returns pixels, [0, 255], whose score stays large however they are shifted and turned.

    Args:
        scores: of pixels, [0, 255].
        label: of the class.
        shape: (H, W, C).
        steps: of Adam.
        seed: of the start and the transforms.
        report: is told how many steps of all are done.
    """
    optimizer = optax.adam(RATE)
    start, turns = jax.random.split(jax.random.key(seed))
    free = 0.01 * jax.random.normal(start, shape)

    def loss(free: jax.Array, key: jax.Array) -> jax.Array:
        return -scores(transformed(255 * jax.nn.sigmoid(free), key)[None])[0, label]

    @jax.jit
    def step(free: jax.Array, state: optax.OptState, key: jax.Array) -> tuple[jax.Array, object]:
        change, state = optimizer.update(jax.grad(loss)(free, key), state)
        return free + change, state

    state: object = optimizer.init(free)
    for number in range(steps):
        free, state = step(free, state, jax.random.fold_in(turns, number))
        report(number + 1, steps)
    return np.asarray(255 * jax.nn.sigmoid(free))


def transformed(pixels: jax.Array, key: jax.Array) -> jax.Array:
    """Returns pixels (H, W, C) shifted, scaled and turned at random; grey comes in at the borders.

    One bilinear resampling does what pad, jitter, scale, rotation and a second jitter do.
    """
    height, width, _ = pixels.shape
    unit = min(height, width) / FOR_SIDE
    scaling, turning, *shifting = jax.random.split(key, 4)
    scale = jax.random.uniform(scaling, (), minval=SCALES[0], maxval=SCALES[1])
    angle = jnp.deg2rad(jax.random.uniform(turning, (), minval=-DEGREES, maxval=DEGREES))
    first, last = (
        jax.random.uniform(one, (2,), minval=-size, maxval=size) * unit
        for one, size in zip(shifting, (FIRST_JITTER, LAST_JITTER), strict=True)
    )
    middle = (jnp.array([height, width]) - 1) / 2
    rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    # From where each pixel is taken: the last shift undone, then turn and scale, then the first.
    at = jnp.stack([rows, columns], -1) - middle - last
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    source = at @ turn.T / scale + middle - first
    places = list(jnp.moveaxis(source, -1, 0))
    channels = [
        map_coordinates(pixels[..., c], places, order=1, mode="constant", cval=GREY)
        for c in range(pixels.shape[-1])
    ]
    return jnp.stack(channels, -1)
