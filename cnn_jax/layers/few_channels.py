"""Convolution of few channels, or to few filters, in forms that XLA:CPU runs fast.

Its convolution kernel gathers the window of every pixel, and then multiplies it with all filters:
with few filters the gathering is most of the work. Several neighbouring pixels of a row taken as
one are gathered once. All was measured on two cores, in float32, with filters of 3x3 and 5x5 on
images of 8 to 32 pixels.
"""

import jax
import jax.numpy as jnp
from jax import lax

from cnn_jax.layers.window import Borders

LAYOUT = ("NHWC", "HWIO", "NHWC")
# (channels, filters) up to -> pixels taken as one, and by how much 5x5 filters are faster.
PIXELS_AT_ONCE = {
    (4, 32): 4,  # 1.8 to 6 times
    (24, 24): 2,  # 1.2 to 2.2 times
}
ROWS = (4, 32)  # channels up to, filters from: 1.6 times as fast


def pixels_at_once(kernel: jax.Array) -> int:
    """Returns how many neighbouring pixels `convolution_by_pixels` best takes as one.

    Args:
        kernel: filters (kh, kw, C, O).
    """
    wide, channels, filters = kernel.shape[1:]
    if wide == 1:
        return 1
    return next(
        (pixels for (c, o), pixels in PIXELS_AT_ONCE.items() if channels <= c and filters <= o), 1
    )


def suits_rows(kernel: jax.Array) -> bool:
    """Whether `gradient_of_filters_by_rows` is the faster form."""
    channels, filters = kernel.shape[2:]
    return channels <= ROWS[0] and filters > ROWS[1]


def convolution_by_pixels(x: jax.Array, kernel: jax.Array, borders: Borders) -> jax.Array:
    """Convolve with stride 1, neighbouring pixels of a row as one with as many times the channels.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        borders: rows and columns of zeros around the image; negative: so many less.

    Returns:
        (N, H', W', O).
    """
    pixels = pixels_at_once(kernel)
    if pixels == 1 or min(*borders[0], *borders[1]) < 0:
        return lax.conv_general_dilated(x, kernel, (1, 1), borders, dimension_numbers=LAYOUT)
    count, _, width, channels = x.shape
    tall, wide, _, features = kernel.shape
    columns = width + sum(borders[1]) - wide + 1
    blocks, reach = -(-columns // pixels), -(-(pixels + wide - 1) // pixels)
    left = borders[1][0]
    padded = pixels * (blocks - 1 + reach)
    around = (left, max(0, padded - width - left))
    x = jnp.pad(x, ((0, 0), borders[0], around, (0, 0)))[:, :, :padded]
    x = x.reshape(count, -1, padded // pixels, pixels * channels)
    # The filters of the second pixel of a block stand one pixel further right, and so on.
    spare = pixels * reach - wide
    each = [jnp.pad(kernel, ((0, 0), (q, spare - q), (0, 0), (0, 0))) for q in range(pixels)]
    filters = jnp.stack(each, axis=3).reshape(tall, reach, pixels * channels, pixels * features)
    y = lax.conv_general_dilated(x, filters, (1, 1), "VALID", dimension_numbers=LAYOUT)
    return y.reshape(count, y.shape[1], pixels * blocks, features)[:, :, :columns]


def gradient_of_filters_by_rows(
    x: jax.Array, kernel: jax.Array, borders: Borders, gradient: jax.Array
) -> jax.Array:
    """Return the gradient by the filters of a convolution with stride 1.

    One matrix product for each row of the filters, over the windows of that height.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        borders: zeros around the image.
        gradient: by the output, (N, H', W', O).

    Returns:
        (kh, kw, C, O).
    """
    tall, wide, channels, features = kernel.shape
    rows, columns = gradient.shape[1:3]
    x = jnp.pad(x, ((0, 0), *borders, (0, 0)))
    windows = jnp.concatenate([x[:, :, j : j + columns] for j in range(wide)], axis=-1)
    flat = gradient.reshape(-1, features)
    products = [windows[:, i : i + rows].reshape(-1, wide * channels).T @ flat for i in range(tall)]
    return jnp.stack(products).reshape(kernel.shape)
