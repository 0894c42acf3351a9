"""Max and average pooling."""

from collections.abc import Sequence
from functools import partial, reduce
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cnn_jax.config.problems import hint
from cnn_jax.layers import formulation
from cnn_jax.layers.window import Borders, Padding, Pair, fit_window, pair

DIVISORS = ("valid", "padded", "caffe")
MOST_SLICES = 64  # elements of a window; more take long to compile


def max_pool(
    x: jax.Array,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
) -> jax.Array:
    """Take the maximum of every window; padding never wins.

    The gradient goes to the first maximum of a window in row-major order. On CPU it is a custom
    VJP, bit-identical to JAX's own.

    Args:
        x: (N, H, W, C), floating.
        window: one int or (height, width), pixels.
        strides: one int or (vertical, horizontal); None: the window, without overlap.
        padding: as `window.fit_window`; smaller than the window.
        rounding: `'floor'`, `'ceil'` (Caffe, cuda-convnet) or `'exact'`.

    Returns:
        (N, H', W', C) of the dtype of `x`.

    Raises:
        ValueError: if the window does not fit, or could lie in the padding alone.

    Example:
        >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    size, steps, borders, _ = place(x, window, strides, padding, rounding)
    if formulation.current() == formulation.PLAIN:
        return _keep_nan(_window_maximum(x, size, steps, borders), x, size, steps, borders)
    return first_match_max_pool(x, size, steps, borders)


def average_pool(
    x: jax.Array,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    count_padding: str = "caffe",
) -> jax.Array:
    """Average every window; the frameworks differ in what they divide by at the border.

    `count_padding` names the divisor: `'valid'`, the pixels of the image in the window (TensorFlow,
    cuda-convnet, PyTorch with `count_include_pad=False`); `'padded'`, the whole window (flax);
    `'caffe'`, the window clipped to the image and the padding asked for, without what `'ceil'`
    added (Caffe, PyTorch). They agree where there is no padding and no rest.

    Args:
        x: (N, H, W, C), floating.
        window: one int or (height, width), pixels.
        strides: one int or (vertical, horizontal); None: the window, without overlap.
        padding: as `window.fit_window`; smaller than the window.
        rounding: `'floor'`, `'ceil'` or `'exact'`.
        count_padding: `'valid'`, `'padded'` or `'caffe'`.

    Returns:
        (N, H', W', C) of the dtype of `x`, summed in float32 at least.

    Raises:
        ValueError: as `max_pool`, or if `count_padding` is unknown.

    Example:
        >>> average_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
        [[2.5, 4.5], [10.5, 12.5]]
    """
    if count_padding not in DIVISORS:
        raise ValueError(
            f"count_padding = {count_padding!r} is unknown{hint(count_padding, DIVISORS)}"
        )
    size, steps, borders, output = place(x, window, strides, padding, rounding)
    wide = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    if _is_tiling(size, steps, borders) and formulation.current() != formulation.PLAIN:
        tiles = wide[:, : output[0] * size[0], : output[1] * size[1]].reshape(
            x.shape[0], output[0], size[0], output[1], size[1], x.shape[3]
        )
        return jnp.asarray(tiles.mean((2, 4)), x.dtype)
    total = lax.reduce_window(
        wide, 0.0, lax.add, (1, *size, 1), (1, *steps, 1), ((0, 0), *borders, (0, 0))
    )
    asked = fit_window((x.shape[1], x.shape[2]), size, steps, padding)[1]
    rows, columns = (
        _counts(
            x.shape[1 + a], size[a], steps[a], borders[a][0], asked[a], output[a], count_padding
        )
        for a in range(2)
    )
    divisor = np.outer(rows, columns)[:, :, None]
    return jnp.asarray(total / jnp.asarray(divisor, total.dtype), x.dtype)


def global_average_pool(x: jax.Array) -> jax.Array:
    """Average each map over the image (Lin et al. 2013, arXiv:1312.4400, section 3.2).

    Args:
        x: images or maps (N, H, W, C).

    Returns:
        (N, C) of the dtype of `x`, summed in float32 at least.

    Example:
        >>> global_average_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).tolist()
        [[7.5]]
    """
    return jnp.mean(x, (1, 2), dtype=jnp.promote_types(x.dtype, jnp.float32)).astype(x.dtype)


def place(
    x: jax.Array | jax.ShapeDtypeStruct,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: Padding,
    rounding: str,
) -> tuple[Pair, Pair, Borders, Pair]:
    """Return window, strides, borders and size of the result; arguments as `max_pool`."""
    if x.ndim != 4:
        raise ValueError(f"pooling expects images (N, H, W, C), got shape {x.shape}")
    size = pair(window, "window")
    steps = size if strides is None else pair(strides, "strides")
    image = (x.shape[1], x.shape[2])
    output, borders = fit_window(image, size, steps, padding, rounding=rounding, noun="window")
    asked = fit_window(image, size, steps, padding, noun="window")[1]
    if any(max(asked[axis]) >= size[axis] for axis in range(2)):
        raise ValueError(
            f"padding {padding!r} of a {size[0]}x{size[1]} window: a window could lie in the "
            f"padding alone; it must be smaller than the window"
        )
    return size, steps, borders, output


def _is_tiling(size: Pair, steps: Pair, borders: Borders) -> bool:
    return size == steps and borders == ((0, 0), (0, 0))


def _overlap(y: jax.Array, window: Pair, strides: Pair) -> bool:
    return any(window[axis] > strides[axis] and y.shape[1 + axis] > 1 for axis in range(2))


def _counts(
    image: int, window: int, stride: int, low: int, asked: Pair, output: int, rule: str
) -> np.ndarray:
    if rule == "padded":
        return np.full(output, window)
    first = np.arange(output) * stride - low
    begin, end = (0, image) if rule == "valid" else (-asked[0], image + asked[1])
    return np.minimum(first + window, end) - np.maximum(first, begin)


# Max pooling whose gradient is a mask of the first maximum rather than a serial scatter.


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
    if _is_tiling(window, strides, borders) and window[0] * window[1] <= MOST_SLICES:
        outputs = (x.shape[1] // window[0], x.shape[2] // window[1])
        return reduce(lax.max, _slices(x, outputs, window, strides))
    y = _window_maximum(x, window, strides, borders)
    return _keep_nan(y, x, window, strides, borders)


def _window_maximum(x: jax.Array, window: Pair, strides: Pair, borders: Borders) -> jax.Array:
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), ((0, 0), *borders, (0, 0))
    )


def _keep_nan(
    y: jax.Array, x: jax.Array, window: Pair, strides: Pair, borders: Borders
) -> jax.Array:
    """Return the maxima `y`, and NaN where a window of `x` holds one.

    XLA:CPU makes one reduction of windows that lie apart, and its maximum passes NaN over.
    """
    if jax.default_backend() != "cpu" or _overlap(y, window, strides):
        return y
    sizes, steps, edges = (1, *window, 1), (1, *strides, 1), ((0, 0), *borders, (0, 0))
    holds = lax.reduce_window(jnp.isnan(x), False, lax.bitwise_or, sizes, steps, edges)
    return jnp.where(holds, jnp.nan, y)


def _slices(padded: jax.Array, outputs: Pair, window: Pair, strides: Pair) -> list[jax.Array]:
    """Cut the padded image into the elements of all windows, (N, H', W', C) each, by rows."""
    spans = [(outputs[axis] - 1) * strides[axis] + 1 for axis in range(2)]
    n, channels = padded.shape[0], padded.shape[3]
    return [
        lax.slice(
            padded,
            (0, row, column, 0),
            (n, row + spans[0], column + spans[1], channels),
            (1, *strides, 1),
        )
        for row, column in product(range(window[0]), range(window[1]))
    ]


def _max_forward(
    x: jax.Array, window: Pair, strides: Pair, borders: Borders
) -> tuple[jax.Array, jax.Array]:
    return first_match_max_pool(x, window, strides, borders), x


def _max_backward(
    window: Pair,
    strides: Pair,
    borders: Borders,
    x: jax.Array,
    gradient: jax.Array,
) -> tuple[jax.Array]:
    outputs = (gradient.shape[1], gradient.shape[2])
    # The barrier keeps XLA from searching again for every window that covers a pixel.
    winners = lax.optimization_barrier(first_maxima(x, outputs, window, strides, borders))
    return (spread(winners, gradient, (x.shape[1], x.shape[2]), window, strides, borders),)


first_match_max_pool.defvjp(_max_forward, _max_backward)


def first_maxima(
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
    largest, *others = _slices(padded, outputs, window, strides)
    winners = jnp.zeros(largest.shape, jnp.int32)
    for place, element in enumerate(others, 1):
        larger = element > largest
        winners = jnp.where(larger, place, winners)
        largest = jnp.where(larger, element, largest)
    return winners


def spread(
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
