"""Max pooling whose gradient is a mask of the first maximum rather than a serial scatter."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from cnn_jax.layers.window import Borders, Pair


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def first_match_max_pool(x: jax.Array, window: Pair, strides: Pair, borders: Borders) -> jax.Array:
    """Take the maximum of every window; gradient bit-identical to JAX's own, ties included.

    XLA:CPU runs JAX's gradient (`select_and_scatter`) on one thread. Reverse mode to any order and
    `vmap` work; forward mode is excluded by the custom gradient.

    Args:
        x: (N, H, W, C), floating.
        window: (height, width).
        strides: (vertical, horizontal).
        borders: padding ((top, bottom), (left, right)), each smaller than the window.

    Returns:
        (N, H', W', C) of the dtype of `x`.
    """
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), ((0, 0), *borders, (0, 0))
    )


def _forward(
    x: jax.Array, window: Pair, strides: Pair, borders: Borders
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = first_match_max_pool(x, window, strides, borders)
    return y, (x, y)


def _backward(
    window: Pair,
    strides: Pair,
    borders: Borders,
    residuals: tuple[jax.Array, jax.Array],
    gradient: jax.Array,
) -> tuple[jax.Array]:
    x, y = residuals
    spans = [(size - 1) * step + 1 for size, step in zip(y.shape[1:3], strides, strict=True)]
    edges = ((0, 0, 0), *((low, high, 0) for low, high in borders), (0, 0, 0))
    padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), edges)
    offsets = list(product(range(window[0]), range(window[1])))

    # Walking backwards leaves the first offset that matches, where several do.
    match = jnp.zeros(y.shape, jnp.int32)
    for number, (row, column) in reversed(list(enumerate(offsets))):
        element = lax.slice(
            padded,
            (0, row, column, 0),
            (x.shape[0], row + spans[0], column + spans[1], x.shape[3]),
            (1, *strides, 1),
        )
        match = jnp.where(element == y, number, match)

    # Windows are added in row-major order, the order of select_and_scatter, to get equal bits.
    zero = jnp.zeros((), gradient.dtype)
    total = jnp.zeros(x.shape, gradient.dtype)
    for number, (row, column) in reversed(list(enumerate(offsets))):
        edges = (
            (0, 0, 0),
            *(
                (offset - low, size + low - offset - span, step - 1)
                for offset, low, size, span, step in zip(
                    (row, column),
                    (b[0] for b in borders),
                    x.shape[1:3],
                    spans,
                    strides,
                    strict=True,
                )
            ),
            (0, 0, 0),
        )
        total = total + lax.pad(jnp.where(match == number, gradient, zero), zero, edges)
    return (total,)


first_match_max_pool.defvjp(_forward, _backward)
