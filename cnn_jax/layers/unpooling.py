"""Max pooling undone: the switches that say where each maximum was, and the way back through them.

M. Zeiler, R. Fergus (2014), Visualizing and Understanding Convolutional Networks, ECCV,
arXiv:1311.2901, section 2.1. The gradient of `pooling.max_pool` is this unpooling of the gradient.
"""

from collections.abc import Sequence

import jax

from cnn_jax.layers.pooling import first_maxima, place, spread
from cnn_jax.layers.window import Padding


def max_pool_switches(
    x: jax.Array,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
) -> jax.Array:
    """Find where in its window each maximum of `pooling.max_pool` lies.

    Args:
        x: (N, H, W, C), floating.
        window: as of `pooling.max_pool`.
        strides: the same.
        padding: the same.
        rounding: the same.

    Returns:
        int32 (N, H', W', C): row * width + column inside the window, of the first maximum in
        row-major order.

    Raises:
        ValueError: as `pooling.max_pool`.

    Example:
        >>> import jax.numpy as jnp
        >>> max_pool_switches(jnp.arange(16.0).reshape(1, 4, 4, 1), 2).ravel().tolist()
        [3, 3, 3, 3]
    """
    size, steps, borders, output = place(x, window, strides, padding, rounding)
    return first_maxima(x, output, size, steps, borders)


def unpool(
    y: jax.Array,
    switches: jax.Array,
    image: tuple[int, int],
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
) -> jax.Array:
    """Put every value of pooled maps where its switch says; all other pixels are zero.

    Where windows overlap, a pixel that won several of them has the sum of their values.

    Args:
        y: pooled maps (N, H', W', C), floating.
        switches: of `max_pool_switches`, with the same window, strides, padding and rounding.
        image: (height, width) of the maps before pooling.
        window: one int or (height, width), pixels.
        strides: one int or (vertical, horizontal); None: the window.
        padding: as `window.fit_window`.
        rounding: `'floor'`, `'ceil'` or `'exact'`.

    Returns:
        (N, *image, C) of the dtype of `y`.

    Raises:
        ValueError: as `pooling.max_pool`.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[1.0, 2.0], [4.0, 3.0]]).reshape(1, 2, 2, 1)
        >>> unpool(jnp.full((1, 1, 1, 1), 4.0), max_pool_switches(x, 2), (2, 2), 2).ravel().tolist()
        [0.0, 0.0, 4.0, 0.0]
    """
    shape = jax.ShapeDtypeStruct((y.shape[0], *image, y.shape[3]), y.dtype)
    size, steps, borders, _ = place(shape, window, strides, padding, rounding)
    return spread(switches, y, image, size, steps, borders)
