"""Max pooling whose gradient is a mask of the first maximum rather than a serial scatter."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cnn_jax.layers.window import Borders, Pair


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def first_match_max_pool(x: jax.Array, window: Pair, strides: Pair, borders: Borders) -> jax.Array:
    """Take the maximum of every window; gradient bit-identical to JAX's own, ties included.

    XLA:CPU runs JAX's gradient (`select_and_scatter`) on one thread. Reverse mode to any order and
    `vmap` work; forward mode is excluded by the custom gradient.

    Args:
        x: (N, H, W, C), floating.
        window: (height, width), pixels.
        strides: (vertical, horizontal).
        borders: padding ((top, bottom), (left, right)), each smaller than the window.

    Returns:
        (N, H', W', C) of the dtype of `x`.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> y = first_match_max_pool(x, (2, 2), (2, 2), ((0, 0), (0, 0)))
        >>> y[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), ((0, 0), *borders, (0, 0))
    )


def _forward(
    x: jax.Array, window: Pair, strides: Pair, borders: Borders
) -> tuple[jax.Array, jax.Array]:
    return first_match_max_pool(x, window, strides, borders), x


def _backward(
    window: Pair,
    strides: Pair,
    borders: Borders,
    x: jax.Array,
    gradient: jax.Array,
) -> tuple[jax.Array]:
    outputs = (gradient.shape[1], gradient.shape[2])
    # The barrier keeps XLA from searching again for every window that covers a pixel.
    winners = lax.optimization_barrier(_first_maxima(x, outputs, window, strides, borders))
    return (_spread(winners, gradient, (x.shape[1], x.shape[2]), window, strides, borders),)


first_match_max_pool.defvjp(_forward, _backward)


def _first_maxima(
    x: jax.Array, outputs: Pair, window: Pair, strides: Pair, borders: Borders
) -> jax.Array:
    """Find the first element of each window that is its maximum, as row * width + column.

    The maximum is searched again: XLA may compute `x` once more here and round it otherwise, and
    an element that is compared with the output of the forward pass would then not be found.
    """
    padded = lax.pad(
        x,
        jnp.array(-jnp.inf, x.dtype),
        ((0, 0, 0), *((low, high, 0) for low, high in borders), (0, 0, 0)),
    )
    spans = [(outputs[axis] - 1) * strides[axis] + 1 for axis in range(2)]

    def element(row: int, column: int) -> jax.Array:
        end = (x.shape[0], row + spans[0], column + spans[1], x.shape[3])
        return lax.slice(padded, (0, row, column, 0), end, (1, *strides, 1))

    largest = element(0, 0)
    winners = jnp.zeros(largest.shape, jnp.int32)
    for row, column in list(product(range(window[0]), range(window[1])))[1:]:
        larger = element(row, column) > largest
        winners = jnp.where(larger, row * window[1] + column, winners)
        largest = jnp.where(larger, element(row, column), largest)
    return winners


def _spread(
    winners: jax.Array,
    gradient: jax.Array,
    image: Pair,
    window: Pair,
    strides: Pair,
    borders: Borders,
) -> jax.Array:
    """Add the gradient of every window to the pixel that won it.

    The padded image is cut into cells of one stride. A pixel of cell i lies in the windows i, i - 1
    and so on that reach it, at offsets that its place in the cell decides: there is no scatter.
    """
    n, channels = gradient.shape[0], gradient.shape[3]
    cells = [-(-(image[axis] + sum(borders[axis])) // strides[axis]) for axis in range(2)]
    reach = [-(-window[axis] // strides[axis]) for axis in range(2)]
    zero = jnp.zeros((), gradient.dtype)
    total = jnp.zeros((n, cells[0], strides[0], cells[1], strides[1], channels), gradient.dtype)
    # From the first window to the last, as select_and_scatter adds them, to get equal bits.
    for back in reversed(list(product(range(reach[0]), range(reach[1])))):
        rows, columns = (np.arange(strides[axis]) + back[axis] * strides[axis] for axis in range(2))
        inside = np.logical_and.outer(rows < window[0], columns < window[1])
        offsets = np.where(inside, np.add.outer(rows * window[1], columns), -1).astype(np.int32)
        edges = (
            (0, 0, 0),
            *((back[a], cells[a] - back[a] - gradient.shape[1 + a], 0) for a in range(2)),
            (0, 0, 0),
        )
        winner = lax.pad(winners, jnp.int32(-2), edges)[:, :, None, :, None]
        arriving = lax.pad(gradient, zero, edges)[:, :, None, :, None]
        total = total + jnp.where(winner == offsets[:, None, :, None], arriving, zero)
    pixels = total.reshape(n, cells[0] * strides[0], cells[1] * strides[1], channels)
    (top, _), (left, _) = borders
    return pixels[:, top : top + image[0], left : left + image[1]]
