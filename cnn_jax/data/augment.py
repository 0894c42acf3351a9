"""Random colours, affine and elastic distortions and mirror, on the device, one key an example.

CIFAR-10 as in He et al. 2016, section 4.2: `flip`, `shift_pixels=4`, `shift_form='whole'` and
`border='mean'`: 4 pixels padded, and a crop of the old size. ConvNetJS (Karpathy 2014): the same
with 2 pixels. Elastic distortions (Simard et al. 2003): `elastic_alpha`, `elastic_sigma` and
`border='zero'`; see `elastic`.

MNIST as in LeCun et al. 1998, section III.B: `shift_pixels`, `scale`, `squeeze` and `shear`, which
are its planar affine distortions; it prints no sizes.

The draws of an example depend on (seed, step, position in the global batch) alone: not on the batch
it shares a device with, nor on the number of devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.data.colour import Colour
from cnn_jax.data.elastic import displacements

Augment = Callable[[jax.Array, jax.Array], jax.Array]
COLOUR = 1  # folded into the key of an example: its colour draws from there
ELASTIC = 2  # the same for its field of displacements
PLANAR = 3  # the same for its squeeze and shear


def augmentation(
    data: Any, colour: Colour | None = None, mean: np.ndarray | None = None
) -> Augment | None:
    """Returns the augmentation that the section `data` of a config asks for, after the colours.

    Args:
        data: `config.data`: `shift_pixels`, `shift_form`, `scale`, `squeeze`, `shear`,
            `rotation_degrees`, `elastic_alpha`, `elastic_sigma`, `border`, `flip`.
        colour: a rule of `colour`; None: colours stay.
        mean: what the normalisation subtracts, (C,) or (H, W, C) on the scale [0, 1]; needed where
            `border` is `mean`.

    Returns:
        A function (keys (B,), uint8 images (B, H, W, C)) -> float images on the scale [0, 255];
        None when nothing is asked for.
    """
    shift, zoom, degrees, flip = data.shift_pixels, data.scale, data.rotation_degrees, data.flip
    planar, elastic = data.squeeze > 0 or data.shear > 0, data.elastic_alpha > 0
    whole, bends = data.shift_form == "whole", zoom > 0 or degrees > 0 or planar or elastic
    moves = shift > 0 or bends
    if not moves and not flip and colour is None:
        return None
    centre = 255 * mean if data.border == "mean" and mean is not None else None

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        image = image.astype(float)
        if colour is not None:
            image = colour(jax.random.fold_in(key, COLOUR), image)
        draws = jax.random.uniform(key, (5,), float, -1.0, 1.0)
        if centre is not None:
            image = image - jnp.asarray(centre, image.dtype)
        if flip:
            image = jnp.where(draws[0] < 0, image[:, ::-1], image)
        if moves:
            offset = whole_offset(draws[1:3], int(shift)) if whole else shift * draws[1:3]
            if whole and not bends:
                image = shifted(image, offset, int(shift), data.border)
            else:
                angle = jnp.deg2rad(degrees * draws[4])
                more = _planar(jax.random.fold_in(key, PLANAR), data) if planar else None
                field = None
                if elastic:
                    parts = (*image.shape[:2], data.elastic_alpha, data.elastic_sigma)
                    field = displacements(jax.random.fold_in(key, ELASTIC), *parts)
                zoomed = 1.0 + zoom * draws[3]
                image = affine(image, offset, zoomed, angle, data.border, more, field)
        return image if centre is None else image + jnp.asarray(centre, image.dtype)

    return jax.vmap(one)


def _planar(key: jax.Array, data: Any) -> tuple[jax.Array, jax.Array]:
    draws = jax.random.uniform(key, (2,), float, -1.0, 1.0)
    return (1.0 + data.squeeze) ** draws[0], data.shear * draws[1]


def whole_offset(draws: jax.Array, largest: int) -> jax.Array:
    """Returns draws from [-1, 1) as whole numbers between -largest and largest, equally likely."""
    steps = 2 * largest + 1
    return jnp.clip(jnp.floor((draws + 1) / 2 * steps), 0, steps - 1).astype(jnp.int32) - largest


def shifted(image: jax.Array, offset: jax.Array, largest: int, border: str = "edge") -> jax.Array:
    """Returns an image shifted by whole pixels.

    The same as padding by `largest` on all sides and taking a crop of the old size at random.

    Args:
        image: (H, W, C).
        offset: int (2,), pixels down and right.
        largest: of its absolute values.
        border: what lies outside: `edge` repeats the outermost pixels, otherwise zeros.
    """
    around = ((largest, largest), (largest, largest), (0, 0))
    padded = jnp.pad(image, around, mode="edge" if border == "edge" else "constant")
    top, left = largest - offset
    return jax.lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), image.shape)


def affine(
    image: jax.Array,
    offset: jax.Array,
    zoom: jax.Array,
    angle: jax.Array,
    border: str = "edge",
    planar: tuple[jax.Array, jax.Array] | None = None,
    field: jax.Array | None = None,
) -> jax.Array:
    """Returns an image sheared, squeezed, zoomed and rotated about its centre, shifted, then bent.

    The interpolation is bilinear, in one step.

    Args:
        image: float (H, W, C).
        offset: float (2,), pixels down and right.
        zoom: above 1 enlarges.
        angle: radians, counter-clockwise as seen on screen.
        border: what lies outside: `edge` repeats the outermost pixels, otherwise zeros.
        planar: by what factor it is stretched in height and shrunk in width, and by how many pixels
            each row goes to the right for each row that it is below the centre; None: 1 and 0.
        field: (2, H, W), pixels down and right to where the new value of a pixel is read, by which
            the moved image is bent; None: it is not.
    """
    height, width, channels = image.shape
    around = ((1, 1), (1, 1), (0, 0))
    padded = jnp.pad(image, around, mode="edge" if border == "edge" else "constant")
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    y, x = jnp.mgrid[0:height, 0:width].astype(image.dtype)
    if field is not None:
        y, x = y + field[0], x + field[1]
    y, x = y - centre_y - offset[0], x - centre_x - offset[1]
    cos, sin = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
    y, x = cos * y + sin * x, cos * x - sin * y
    if planar is not None:
        stretch, shear = planar
        y, x = y / stretch, x * stretch
        x = x - shear * y
    source_y = jnp.clip(y + centre_y + 1, 0, height + 1)
    source_x = jnp.clip(x + centre_x + 1, 0, width + 1)
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
