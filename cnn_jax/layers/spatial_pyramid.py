"""Spatial pyramid pooling: features of one length from images of any size."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from cnn_jax.layers.pooling import average_pool, max_pool

_POOLINGS: dict[str, Callable[..., jax.Array]] = {"max": max_pool, "average": average_pool}


def spatial_pyramid_pool(
    x: jax.Array, levels: Sequence[int] = (6, 3, 2, 1), pooling: str = "max"
) -> jax.Array:
    """Pool each map over n x n bins, for every level n of the pyramid.

    Bin i of n over a side of a pixels covers [floor(i a / n), ceil((i + 1) a / n)), i from 0: bins
    overlap where n does not divide a. On 13x13 maps that is the paper's sliding window of
    ceil(a / n) pixels and stride floor(a / n).

    Source: He et al. 2014, arXiv:1406.4729, sections 2.2 and 3.2.

    Args:
        x: (N, H, W, C), floating, of any height and width.
        levels: bins along a side, one number a level; the default is the paper's 50 bins.
        pooling: `'max'` or `'average'`.

    Returns:
        (N, sum of n^2 * C): level after level, its bins in row-major order, channels innermost.

    Raises:
        ValueError: if `pooling` is unknown or a level is below 1.

    Example:
        >>> spatial_pyramid_pool(jnp.ones((1, 4, 4, 3)), levels=(2, 1)).shape
        (1, 15)
    """
    if pooling not in _POOLINGS:
        raise ValueError(f"pooling = {pooling!r}: allowed are {', '.join(_POOLINGS)}")
    if not levels or min(levels) < 1:
        raise ValueError(f"pyramid levels {tuple(levels)}: each must be at least 1")
    pool = _POOLINGS[pooling]
    features = []
    for level in levels:
        rows = _pool_axis(pool, x, 1, level)
        features.append(_pool_axis(pool, rows, 2, level).reshape(x.shape[0], -1))
    return jnp.concatenate(features, axis=-1)


def _pool_axis(pool: Callable[..., jax.Array], x: jax.Array, axis: int, level: int) -> jax.Array:
    """Pools the bins of a level along one side: by a sliding window where they are one."""
    bins = [
        (i * x.shape[axis] // level, -(-(i + 1) * x.shape[axis] // level)) for i in range(level)
    ]

    def along(pixels: int) -> tuple[int, int]:
        return (pixels, 1) if axis == 1 else (1, pixels)

    # Some 24 poolings of single bins take far longer to compile than eight sliding windows.
    first, size = bins[min(1, level - 1)][0], bins[0][1]
    if bins == [(i * first, i * first + size) for i in range(level)] and (first or level == 1):
        return pool(x, along(size), along(max(first, 1)))
    tiles = [
        pool(jax.lax.slice_in_dim(x, begin, end, axis=axis), along(end - begin))
        for begin, end in bins
    ]
    return jnp.concatenate(tiles, axis=axis)
