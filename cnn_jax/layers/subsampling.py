"""Trained sub-sampling, the pooling of 1998."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from cnn_jax.layers.convolution import Initializer
from cnn_jax.layers.pooling import average_pool


class SubSampling(nn.Module):
    """Add up every window, multiply by a trained coefficient of the map and add a trained bias.

    Parameters are `kernel` (C maps,), the coefficients, and `bias` (C maps,), in float32, or
    float64 where `dtype` is. The initialiser sees the whole windows, (window, window, 1,
    C maps), so that the fan-in is that of a unit, window^2; the coefficient is one element of it.

    Source: LeCun et al. 1998, section II.B, layers S2 and S4 (the squashing is left to the caller).

    Args:
        window: height, width and stride, pixels; a rest of the image is left out.
        pool: `f(x, window)` that summarises a window. What is multiplied is window^2 times its
            value: with `average_pool` the sum.
        maps: sub-sampled maps of each map, side by side, with numbers of their own.
        kernel_init: `f(key, shape, dtype)` for the coefficients.
        bias_init: the same for the biases.
        dtype: of the computation and the output.

    Example:
        >>> variables = {"params": {"kernel": jnp.ones(1), "bias": jnp.ones(1)}}
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> SubSampling(2).apply(variables, x)[0, :, :, 0].tolist()
        [[11.0, 19.0], [43.0, 51.0]]
    """

    window: int
    pool: Callable[[jax.Array, int], jax.Array] = average_pool
    maps: int = 1
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Sub-sample.

        Args:
            x: images or maps (N, H, W, C).

        Returns:
            (N, H // window, W // window, C maps) of dtype `self.dtype`.

        Raises:
            ValueError: if the window does not fit on the image.
        """
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        maps = (x.shape[-1] * self.maps,)
        kernel = self.param("kernel", self._init_coefficients, maps, parameter_dtype)
        bias = self.param("bias", self.bias_init, maps, parameter_dtype)
        summed = self.pool(jnp.asarray(x, self.dtype), self.window) * self.window**2
        if self.maps > 1:
            summed = jnp.repeat(summed, self.maps, axis=-1)
        return summed * jnp.asarray(kernel, self.dtype) + jnp.asarray(bias, self.dtype)

    def _init_coefficients(
        self, key: jax.Array, shape: Sequence[int], dtype: DTypeLike
    ) -> jax.Array:
        return self.kernel_init(key, (self.window, self.window, 1, *shape), dtype)[0, 0, 0]
