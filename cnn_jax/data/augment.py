"""Random shift, zoom, rotation and mirror, on the device, one key an example.

The draws of an example depend on (seed, step, position in the global batch) alone: not on the batch
it shares a device with, nor on the number of devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Augment = Callable[[jax.Array, jax.Array], jax.Array]


def augmentation(data: Any) -> Augment | None:
    """Returns the augmentation that the section `data` of a config asks for.

    Args:
        data: `config.data`: `shift_pixels`, `scale`, `rotation_degrees`, `border`, `flip`.

    Returns:
        A function (keys (B,), uint8 images (B, H, W, C)) -> float images on the scale [0, 255];
        None when nothing is asked for.
    """
    shift, zoom, degrees, flip = data.shift_pixels, data.scale, data.rotation_degrees, data.flip
    moves = shift > 0 or zoom > 0 or degrees > 0
    if not moves and not flip:
        return None

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        image = image.astype(float)
        draws = jax.random.uniform(key, (5,), float, -1.0, 1.0)
        if flip:
            image = jnp.where(draws[0] < 0, image[:, ::-1], image)
        if moves:
            offset = shift * draws[1:3]
            angle = jnp.deg2rad(degrees * draws[4])
            image = affine(image, offset, 1.0 + zoom * draws[3], angle, data.border)
        return image

    return jax.vmap(one)


def affine(
    image: jax.Array, offset: jax.Array, zoom: jax.Array, angle: jax.Array, border: str = "edge"
) -> jax.Array:
    """Returns an image zoomed and rotated about its centre, then shifted; bilinear.

    Args:
        image: float (H, W, C).
        offset: float (2,), pixels down and right.
        zoom: above 1 enlarges.
        angle: radians, counter-clockwise as seen on screen.
        border: what lies outside: `edge` repeats the outermost pixels, `zero` is black.
    """
    height, width, channels = image.shape
    around = ((1, 1), (1, 1), (0, 0))
    padded = jnp.pad(image, around, mode="edge" if border == "edge" else "constant")
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    y, x = jnp.mgrid[0:height, 0:width].astype(image.dtype)
    y, x = y - centre_y - offset[0], x - centre_x - offset[1]
    cos, sin = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
    source_y = jnp.clip(cos * y + sin * x + centre_y + 1, 0, height + 1)
    source_x = jnp.clip(cos * x - sin * y + centre_x + 1, 0, width + 1)
    top, left = jnp.floor(source_y), jnp.floor(source_x)
    down, right = (source_y - top)[..., None], (source_x - left)[..., None]
    flat = padded.reshape((height + 2) * (width + 2), channels)

    def pixel(row: jax.Array, column: jax.Array) -> jax.Array:
        row = jnp.minimum(row, height + 1).astype(jnp.int32)
        column = jnp.minimum(column, width + 1).astype(jnp.int32)
        return flat[row * (width + 2) + column]

    upper = (1 - right) * pixel(top, left) + right * pixel(top, left + 1)
    lower = (1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1)
    return (1 - down) * upper + down * lower
