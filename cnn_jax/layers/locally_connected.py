"""Convolution without weight sharing: every position has filters of its own."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from cnn_jax.layers.convolution import Initializer
from cnn_jax.layers.window import Padding, fit_window, pair


class LocallyConnected(nn.Module):
    """Apply to every position of the image filters of its own.

    Parameters are `kernel` (H', W', kh, kw, C, features) and `bias` (H', W', features), in float32,
    or float64 where `dtype` is. The initialiser sees the filters of one position, (kh, kw, C,
    features), so that its fans are those of a convolution.

    Source: the layers local3 and local4 of cuda-convnet; Gregor & LeCun 2010, arXiv:1006.0448.

    Args:
        features: filters at each position.
        kernel_size: one int or (height, width), pixels.
        strides: one int or (vertical, horizontal), pixels.
        padding: as `window.fit_window`.
        rounding: `'floor'`, `'ceil'` or `'exact'`.
        kernel_init: `f(key, shape, dtype)` for the filters of one position.
        bias_init: the same for all biases.
        dtype: of the computation and the output.

    Example:
        >>> layer, images = LocallyConnected(2, 3), jnp.ones((1, 4, 4, 5))
        >>> y, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), images)
        >>> y.shape, variables["params"]["kernel"].shape
        ((1, 2, 2, 2), (2, 2, 3, 3, 5, 2))
    """

    features: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: Padding = 0
    rounding: str = "floor"
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply the filters.

        Args:
            x: (N, H, W, C), of the height and width the parameters were made for.

        Returns:
            (N, H', W', features) of dtype `self.dtype`.

        Raises:
            ValueError: if the filter does not fit on the image.
        """
        size, strides = pair(self.kernel_size, "kernel_size"), pair(self.strides, "strides")
        image = (x.shape[1], x.shape[2])
        output, borders = fit_window(image, size, strides, self.padding, rounding=self.rounding)
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        shape = (*output, *size, x.shape[3], self.features)
        kernel = self.param("kernel", self._init_positions, shape, parameter_dtype)

        padded = jnp.pad(jnp.asarray(x, self.dtype), ((0, 0), *borders, (0, 0)))
        spans = [(output[axis] - 1) * strides[axis] + 1 for axis in range(2)]
        patches = jnp.stack(
            [
                padded[:, row : row + spans[0] : strides[0], col : col + spans[1] : strides[1]]
                for row in range(size[0])
                for col in range(size[1])
            ],
            axis=3,
        )
        patches = patches.reshape(x.shape[0], *output, -1)
        filters = jnp.asarray(kernel, self.dtype).reshape(*output, -1, self.features)
        y = jnp.einsum("nhwp,hwpo->nhwo", patches, filters)
        bias = self.param("bias", self.bias_init, (*output, self.features), parameter_dtype)
        return y + jnp.asarray(bias, self.dtype)

    def _init_positions(self, key: jax.Array, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
        keys = jax.random.split(key, shape[0] * shape[1])
        filters = jax.vmap(lambda each: self.kernel_init(each, tuple(shape[2:]), dtype))(keys)
        return filters.reshape(tuple(shape))
