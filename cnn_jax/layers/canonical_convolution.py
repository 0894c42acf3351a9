"""Convolution whose gradients are written in the form that XLA:CPU runs fast.

XLA:CPU has fast kernels for convolutions in the order NHWC-HWIO-NHWC alone. It rewrites others into
that order, but not inside the body of a loop, where JAX's own gradient convolutions (27 times, for
3x3x128) fall to naive loops. Here the operands are transposed explicitly.

Its kernel gathers the window of every pixel, and then multiplies it with all filters: with few
channels or filters the gathering is most of the work. Several neighbouring pixels of a row taken as
one are gathered once. All was measured on two cores, in float32, with filters of 3x3 and 5x5 on
images of 8 to 32 pixels.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from cnn_jax.layers.window import Borders, Pair

LAYOUT = ("NHWC", "HWIO", "NHWC")
# (channels, filters) up to -> pixels taken as one, and by how much 5x5 filters are faster.
PIXELS_AT_ONCE = {
    (4, 32): 4,  # 1.8 to 6 times
    (24, 24): 2,  # 1.2 to 2.2 times
}
ROWS = (4, 32)  # channels up to, filters from: 1.6 times as fast
_LANES = 16  # float32 numbers that the kernel multiplies at once


def canonical_convolution(
    x: jax.Array, kernel: jax.Array, strides: Pair, borders: Borders, dilation: Pair
) -> jax.Array:
    """Convolve images with one group of filters; gradients bit-identical to JAX's own.

    Where channels and filters are few (`pixels_at_once`), they agree to rounding.
    Reverse mode to any order and `vmap` work; forward mode is excluded by the custom gradient.

    Args:
        x: images (N, H, W, C), floating.
        kernel: filters (kh, kw, C, O) of the dtype of `x`.
        strides: (vertical, horizontal).
        borders: padding ((top, bottom), (left, right)).
        dilation: (vertical, horizontal) distance of neighbouring filter elements.

    Returns:
        (N, H', W', O) of the dtype of `x`.
    """
    # Under shard_map a gradient must vary over the mapped axes that its argument varies over: the
    # cast makes both arguments alike, and its transpose sums the gradient of a replicated kernel.
    x, kernel = _vary_like(x, kernel), _vary_like(kernel, x)
    return _convolve(x, kernel, strides, borders, dilation)


def _vary_like(x: jax.Array, other: jax.Array) -> jax.Array:
    axes = tuple(_varying_axes(other) - _varying_axes(x))
    return lax.pcast(x, axes, to="varying") if axes else x


def _varying_axes(x: jax.Array) -> frozenset[str]:
    aval = jax.typeof(x)
    # JAX 0.10 moved the set that earlier versions call `vma`.
    return aval.manual_axis_type.varying if hasattr(aval, "manual_axis_type") else aval.vma


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _convolve(
    x: jax.Array, kernel: jax.Array, strides: Pair, borders: Borders, dilation: Pair
) -> jax.Array:
    if strides == dilation == (1, 1):
        return convolution_by_pixels(x, kernel, borders)
    return lax.conv_general_dilated(
        x, kernel, strides, borders, rhs_dilation=dilation, dimension_numbers=LAYOUT
    )


def _forward(
    x: jax.Array, kernel: jax.Array, strides: Pair, borders: Borders, dilation: Pair
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, strides, borders, dilation), (x, kernel)


def _backward(
    strides: Pair,
    borders: Borders,
    dilation: Pair,
    residuals: tuple[jax.Array, jax.Array],
    gradient: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    by_images = _gradient_of_images(x, kernel, strides, borders, dilation, gradient)
    if strides == dilation == (1, 1) and suits_rows(kernel):
        by_filters = gradient_of_filters_by_rows(x, kernel, borders, gradient)
    elif strides == dilation == (1, 1) and x.shape[3] % _LANES == 0 != gradient.shape[3] % _LANES:
        by_filters = _mirrored_gradient_of_filters(x, kernel, borders, gradient)
    else:
        by_filters = _gradient_of_filters(x, kernel, strides, borders, dilation, gradient)
    return by_images, by_filters


_convolve.defvjp(_forward, _backward)


def _gradient_of_images(
    x: jax.Array,
    kernel: jax.Array,
    strides: Pair,
    borders: Borders,
    dilation: Pair,
    gradient: jax.Array,
) -> jax.Array:
    padding = []
    for axis in range(2):
        extent = (kernel.shape[axis] - 1) * dilation[axis] + 1
        spread = (gradient.shape[1 + axis] - 1) * strides[axis] + 1
        low = extent - 1 - borders[axis][0]
        padding.append((low, x.shape[1 + axis] + extent - 1 - spread - low))
    # Without the barrier XLA folds the transpose back into the convolution, in the slow order.
    flipped = lax.optimization_barrier(lax.rev(kernel, (0, 1)).transpose(0, 1, 3, 2))
    if strides == dilation == (1, 1):
        return convolution_by_pixels(gradient, flipped, (padding[0], padding[1]))
    return lax.conv_general_dilated(
        gradient,
        flipped,
        window_strides=(1, 1),
        padding=padding,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=LAYOUT,
    )


def _gradient_of_filters(
    x: jax.Array,
    kernel: jax.Array,
    strides: Pair,
    borders: Borders,
    dilation: Pair,
    gradient: jax.Array,
) -> jax.Array:
    padding = []
    for axis in range(2):
        extent = (kernel.shape[axis] - 1) * dilation[axis] + 1
        spread = (gradient.shape[1 + axis] - 1) * strides[axis] + 1
        low = borders[axis][0]
        padding.append((low, spread + extent - 1 - x.shape[1 + axis] - low))
    # The barrier also keeps XLA from recomputing what made x and the gradient inside the transpose.
    images, windows = lax.optimization_barrier(
        (x.transpose(3, 1, 2, 0), gradient.transpose(1, 2, 0, 3))
    )
    by_filters = lax.conv_general_dilated(
        images,
        windows,
        window_strides=dilation,
        padding=padding,
        rhs_dilation=strides,
        dimension_numbers=LAYOUT,
    )
    return by_filters.transpose(1, 2, 0, 3)


def _mirrored_gradient_of_filters(
    x: jax.Array, kernel: jax.Array, borders: Borders, gradient: jax.Array
) -> jax.Array:
    """With the places of images and gradient exchanged: the result is mirrored."""
    padding = []
    for axis in range(2):
        low = kernel.shape[axis] - 1 - borders[axis][0]
        rest = kernel.shape[axis] - 1 + x.shape[1 + axis] - gradient.shape[1 + axis]
        padding.append((low, rest - low))
    images, windows = lax.optimization_barrier(
        (gradient.transpose(3, 1, 2, 0), x.transpose(1, 2, 0, 3))
    )
    by_filters = lax.conv_general_dilated(
        images, windows, (1, 1), padding, dimension_numbers=LAYOUT
    )
    return lax.rev(by_filters.transpose(1, 2, 3, 0), (0, 1))


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
