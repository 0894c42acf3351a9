"""Random numbers of any shape from one compiled draw.

XLA takes 0.2 to 0.6 s on CPU to compile a generator for each new shape, ten seconds for a ResNet.
Here numbers are drawn in blocks of one size, each from its own key, and put together by numpy.
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

BLOCK = 2**17
AHEAD = 4  # blocks under way while one is copied: a block keeps one core busy

Sampler = Callable[..., jax.Array]


def normal(key: jax.Array, shape: Sequence[int], dtype: DTypeLike, std: float) -> jax.Array:
    """Draw from N(0, std^2), not truncated.

    Example:
        >>> normal(jax.random.key(0), (2, 3), jnp.float32, std=1.0).shape
        (2, 3)
    """
    return _scaled(jax.random.normal, key, shape, dtype, std)


def truncated_normal(
    key: jax.Array, shape: Sequence[int], dtype: DTypeLike, std: float
) -> jax.Array:
    """Draw from N(0, std^2) cut at two std.

    Example:
        >>> bool(abs(truncated_normal(jax.random.key(0), (1000,), jnp.float32, std=1.0)).max() < 2)
        True
    """
    return _scaled(_cut_at_two, key, shape, dtype, std)


def uniform(key: jax.Array, shape: Sequence[int], dtype: DTypeLike, bound: float) -> jax.Array:
    """Draw from U[-bound, bound).

    Example:
        >>> bool(abs(uniform(jax.random.key(0), (1000,), jnp.float32, bound=0.5)).max() <= 0.5)
        True
    """
    return _scaled(_between_ones, key, shape, dtype, bound)


def _scaled(
    sample: Sampler, key: jax.Array, shape: Sequence[int], dtype: DTypeLike, scale: float
) -> jax.Array:
    wide = jnp.promote_types(dtype, jnp.float32)
    size = prod(shape)
    count = -(-size // BLOCK)
    factor = jnp.asarray(scale, wide)

    def block(index: int | jax.Array) -> jax.Array:
        return sample(jax.random.fold_in(key, index), (BLOCK,), wide) * factor

    if isinstance(key, jax.core.Tracer):
        numbers = jax.vmap(block)(jnp.arange(count)).reshape(-1)[:size]
        return numbers.reshape(tuple(shape)).astype(dtype)
    buffer = _aligned(size, dtype)
    pending: deque[jax.Array] = deque()
    for index in range(count + AHEAD):
        if index < count:
            pending.append(block(index))
        if index >= AHEAD and pending:
            start = (index - AHEAD) * BLOCK
            buffer[start : start + BLOCK] = np.asarray(pending.popleft())[: size - start]
    return jax.device_put(buffer.reshape(tuple(shape)), may_alias=True)


def _aligned(size: int, dtype: DTypeLike) -> np.ndarray:
    # Memory aligned so is adopted by XLA:CPU without a copy, which would double the time.
    width = np.dtype(dtype).itemsize
    raw = np.empty(size * width + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * width].view(dtype)


def _cut_at_two(key: jax.Array, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
    return jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype)


def _between_ones(key: jax.Array, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
    return jax.random.uniform(key, shape, dtype, -1.0, 1.0)
