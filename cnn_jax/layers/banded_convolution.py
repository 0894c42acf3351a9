"""Convolution of images with few channels as one matrix product over whole rows.

XLA:CPU convolves images of one to four channels at a few percent of the machine's speed. A row of
the output depends linearly on kh rows of the input; the matrix of that map is banded, w / kw times
larger than the kernel, and its product runs at full speed, in loops too.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.layers.window import Borders, Pair

MOST_CHANNELS = 4
LARGEST_OVERHEAD = 8  # width over kernel width: above it the zeros cost more than is saved


def suits(x: jax.Array, kernel: jax.Array, strides: Pair, borders: Borders, dilation: Pair) -> bool:
    """Whether the banded form is the faster one on CPU (measured: LeNet-5, ConvNetJS first layers).

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        strides: pixels.
        borders: zeros around the image.
        dilation: of the filters.
    """
    width = x.shape[2] + sum(borders[1])
    dense = strides == (1, 1) and dilation == (1, 1)
    few = x.shape[3] <= MOST_CHANNELS and kernel.shape[1] > 1
    return dense and few and width <= LARGEST_OVERHEAD * kernel.shape[1]


def banded_convolution(x: jax.Array, kernel: jax.Array, borders: Borders) -> jax.Array:
    """Convolve with stride 1; equal to XLA's convolution and gradients up to rounding.

    Args:
        x: images (N, H, W, C).
        kernel: filters (kh, kw, C, O).
        borders: zeros around the image.

    Returns:
        (N, H', W', O).
    """
    x = jnp.pad(x, ((0, 0), *borders, (0, 0)))
    count, height, width, channels = x.shape
    tall, wide, _, features = kernel.shape
    rows, columns = height - tall + 1, width - wide + 1
    offset = np.arange(width)[:, None] - np.arange(columns)[None, :]
    inside = (offset >= 0) & (offset < wide)
    taken = jnp.take(kernel, np.clip(offset, 0, wide - 1).ravel(), axis=1)
    band = taken.reshape(tall, width, columns, channels, features)
    band = jnp.where(inside[None, :, :, None, None], band, jnp.zeros((), kernel.dtype))
    matrix = band.transpose(0, 1, 3, 2, 4).reshape(tall * width * channels, columns * features)
    flat = x.reshape(count, height, width * channels)
    windows = jnp.concatenate([flat[:, i : i + rows] for i in range(tall)], axis=-1)
    return (windows @ matrix).reshape(count, rows, columns, features)
