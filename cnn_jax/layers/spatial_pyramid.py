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
    """
    if pooling not in _POOLINGS:
        raise ValueError(f"pooling = {pooling!r}: allowed are {', '.join(_POOLINGS)}")
    if not levels or min(levels) < 1:
        raise ValueError(f"pyramid levels {tuple(levels)}: each must be at least 1")
    pool = _POOLINGS[pooling]
    features = []
    for level in levels:
        strips = [
            pool(x[:, begin:end], (end - begin, 1)) for begin, end in _bins(x.shape[1], level)
        ]
        rows = jnp.concatenate(strips, axis=1)
        tiles = [
            pool(rows[:, :, begin:end], (1, end - begin)) for begin, end in _bins(x.shape[2], level)
        ]
        features.append(jnp.concatenate(tiles, axis=2).reshape(x.shape[0], -1))
    return jnp.concatenate(features, axis=-1)


def _bins(pixels: int, count: int) -> list[tuple[int, int]]:
    return [(i * pixels // count, -(-(i + 1) * pixels // count)) for i in range(count)]
