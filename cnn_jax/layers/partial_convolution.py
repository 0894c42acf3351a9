"""Convolution whose maps see only some of the input maps."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from cnn_jax.layers.convolution import Initializer, conv2d
from cnn_jax.layers.window import pair


class PartialConv(nn.Module):
    """Convolve with one filter for every connected pair of an input and an output map.

    Parameters are `kernel` (kh, kw, pairs), in the order of `connections`, and `bias` (outputs,),
    in float32, or float64 where `dtype` is. The initialiser sees the filters of n inputs as those
    of a convolution, (kh, kw, n, outputs), so that the fan-in of a map is kh kw n.

    Source: LeCun et al. 1998, section II.B, layer C3.

    Args:
        connections: for each output map the input maps that it sees, such as ((0, 1), (1, 2)).
        kernel_size: one int or (height, width), pixels.
        kernel_init: `f(key, shape, dtype)` for the filters.
        bias_init: the same for the biases.
        dtype: of the computation and the output.

    Example:
        >>> layer = PartialConv(connections=((0, 1), (1, 2)), kernel_size=5)
        >>> images = jnp.ones((1, 14, 14, 3))
        >>> y, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), images)
        >>> y.shape, variables["params"]["kernel"].shape
        ((1, 10, 10, 2), (5, 5, 4))
    """

    connections: tuple[tuple[int, ...], ...]
    kernel_size: int | Sequence[int]
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve, without padding, at every position.

        Args:
            x: images or maps (N, H, W, C).

        Returns:
            (N, H - kh + 1, W - kw + 1, outputs) of dtype `self.dtype`.

        Raises:
            ValueError: if a connection leads to no map of `x`, or the filter does not fit on it.
        """
        size, channels = pair(self.kernel_size, "kernel_size"), x.shape[-1]
        pairs = [(i, o) for o, seen in enumerate(self.connections) for i in seen]
        _check(pairs, channels)
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        shape = (*size, len(pairs))
        kernel = self.param("kernel", self._init_filters, shape, parameter_dtype)
        bias_shape = (len(self.connections),)
        bias = self.param("bias", self.bias_init, bias_shape, parameter_dtype)

        # One dense convolution is faster than a convolution for each set of inputs.
        inputs, outputs = np.array(pairs).T
        filters = jnp.zeros((*size, channels, len(self.connections)), self.dtype)
        filters = filters.at[:, :, inputs, outputs].set(jnp.asarray(kernel, self.dtype))
        return conv2d(jnp.asarray(x, self.dtype), filters) + jnp.asarray(bias, self.dtype)

    def _init_filters(self, key: jax.Array, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
        counts, outputs = {len(seen) for seen in self.connections}, len(self.connections)
        drawn = {
            n: self.kernel_init(jax.random.fold_in(key, n), (*shape[:2], n, outputs), dtype)
            for n in counts
        }
        filters = [drawn[len(seen)][..., o] for o, seen in enumerate(self.connections)]
        return jnp.concatenate(filters, axis=-1)


def _check(pairs: list[tuple[int, int]], channels: int) -> None:
    if not pairs or len(set(pairs)) < len(pairs):
        raise ValueError("connections must name at least one pair of maps, and none twice")
    if strangers := sorted({i for i, _ in pairs if not 0 <= i < channels}):
        raise ValueError(f"connections name the input maps {strangers}; there are {channels}")
