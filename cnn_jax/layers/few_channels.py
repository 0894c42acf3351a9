"""Convolution of images with few channels, in forms that XLA:CPU runs fast.

Its convolution kernels run at a few percent of the machine's speed where an operand has few
channels. Other forms do the same work, in loops too. All were measured on two cores, in float32,
with filters of 3x3 and 5x5 on images of 14 to 32 pixels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cnn_jax.layers.window import Borders

# A band has W / kw times as many numbers as the filters: what channels can pay for the zeros.
WIDEST_BAND = {1: 8, 8: 3}  # channels up to -> width over filter width
PAIRS_UP_TO = (4, 32)  # channels, filters: up to 3 times as fast
ROWS_UP_TO = 4  # channels
FILTERS_OF_ROWS = 16  # up to as many XLA's own form is the faster one


def suits_band(x: jax.Array, kernel: jax.Array, borders: Borders) -> bool:
    """Whether `banded_convolution` is the faster form.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        borders: zeros around the image.
    """
    wide, channels = kernel.shape[1:3]
    overhead = (x.shape[2] + sum(borders[1])) / wide
    most = next((most for up_to, most in WIDEST_BAND.items() if channels <= up_to), 0)
    return wide > 1 and overhead <= most


def suits_pairs(kernel: jax.Array) -> bool:
    """Whether `paired_convolution` is the faster form."""
    channels, filters = kernel.shape[2:]
    return channels <= PAIRS_UP_TO[0] and filters <= PAIRS_UP_TO[1]


def suits_rows(kernel: jax.Array) -> bool:
    """Whether `gradient_of_filters_by_rows` is the faster form."""
    channels, filters = kernel.shape[2:]
    return channels <= ROWS_UP_TO and filters > FILTERS_OF_ROWS


@jax.custom_vjp
def banded_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve padded images with stride 1, whole rows at a time.

    A row of the output depends linearly on kh rows of the input; the matrix of that map is banded.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).

    Returns:
        (N, H', W', O).
    """
    rows, columns = _positions(x, kernel)
    y = _windows(x, kernel) @ _band(kernel, x.shape[2])
    return y.reshape(x.shape[0], rows, columns, kernel.shape[3])


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return banded_convolution(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    count, _, width, channels = x.shape
    tall, wide, _, features = kernel.shape
    rows, columns = _positions(x, kernel)
    flat = gradient.reshape(count, rows, columns * features)

    sent = (flat @ _band(kernel, width).T).reshape(count, rows, tall, width * channels)
    by_images = jnp.zeros((), x.dtype)
    for i in range(tall):
        by_images += jnp.pad(sent[:, :, i], ((0, 0), (i, tall - 1 - i), (0, 0)))
    over = (((0, 1), (0, 1)), ((), ()))
    by_band = lax.dot_general(_windows(x, kernel), flat, over)
    by_band = by_band.reshape(tall, width, channels, columns, features)
    at = np.arange(columns)
    by_filters = [by_band[:, at + j, :, at].sum(0) for j in range(wide)]
    return by_images.reshape(x.shape), jnp.stack(by_filters, axis=1)


banded_convolution.defvjp(_forward, _backward)


def _positions(x: jax.Array, kernel: jax.Array) -> tuple[int, int]:
    return x.shape[1] - kernel.shape[0] + 1, x.shape[2] - kernel.shape[1] + 1


def _windows(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the kh rows under each row of the output, (N, H', kh * W * C)."""
    rows, _ = _positions(x, kernel)
    flat = x.reshape(x.shape[0], x.shape[1], -1)
    return jnp.concatenate([flat[:, i : i + rows] for i in range(kernel.shape[0])], axis=-1)


def _band(kernel: jax.Array, width: int) -> jax.Array:
    """Returns the matrix (kh * W * C, W' * O) of the filters."""
    tall, wide, channels, features = kernel.shape
    columns = width - wide + 1
    offset = np.arange(width)[:, None] - np.arange(columns)[None, :]
    inside = (offset >= 0) & (offset < wide)
    taken = jnp.take(kernel, np.clip(offset, 0, wide - 1).ravel(), axis=1)
    band = taken.reshape(tall, width, columns, channels, features)
    band = jnp.where(inside[None, :, :, None, None], band, jnp.zeros((), kernel.dtype))
    return band.transpose(0, 1, 3, 2, 4).reshape(tall * width * channels, columns * features)


def paired_convolution(x: jax.Array, kernel: jax.Array, borders: Borders) -> jax.Array:
    """Convolve with stride 1, two neighbouring pixels of a row as one with twice the channels.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        borders: zeros around the image.

    Returns:
        (N, H', W', O).
    """
    count, _, width, channels = x.shape
    tall, wide, _, features = kernel.shape
    columns = width + sum(borders[1]) - wide + 1
    pairs, reach = (columns + 1) // 2, (wide + 2) // 2
    left = borders[1][0]
    padded = 2 * (pairs - 1 + reach)
    around = (left, max(0, padded - width - left))
    x = jnp.pad(x, ((0, 0), borders[0], around, (0, 0)))[:, :, :padded]
    x = x.reshape(count, -1, padded // 2, 2 * channels)
    # The filters of the second pixel of a pair stand one pixel further right.
    both = [jnp.pad(kernel, ((0, 0), (q, 2 * reach - wide - q), (0, 0), (0, 0))) for q in range(2)]
    filters = jnp.stack(both, axis=3).reshape(tall, reach, 2 * channels, 2 * features)
    y = lax.conv_general_dilated(
        x, filters, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y.reshape(count, y.shape[1], 2 * pairs, features)[:, :, :columns]


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
