"""Fully connected layer."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


class Dense(nn.Module):
    """Matrix product with learned weights, plus bias.

    Parameters are `kernel` (in, features) and `bias` (features,), in float32, or float64 where
    `dtype` is.

    Args:
        features: number of outputs.
        kernel_init: `f(key, shape, dtype)` for the weights.
        bias_init: the same for the biases.
        dtype: of the computation and the output.

    Example:
        >>> y, variables = Dense(2).init_with_output(jax.random.key(0), jnp.ones((1, 3)))
        >>> y.shape, variables["params"]["kernel"].shape
        ((1, 2), (3, 2))
    """

    features: int
    kernel_init: Callable[..., jax.Array] = nn.initializers.lecun_normal()
    bias_init: Callable[..., jax.Array] = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Multiply.

        Args:
            x: (..., in).

        Returns:
            (..., features) of dtype `self.dtype`.
        """
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, parameter_dtype)
        y = jnp.asarray(x, self.dtype) @ jnp.asarray(kernel, self.dtype)
        bias = self.param("bias", self.bias_init, (self.features,), parameter_dtype)
        return y + jnp.asarray(bias, self.dtype)
