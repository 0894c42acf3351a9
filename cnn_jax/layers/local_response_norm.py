"""Local response normalisation across channels."""

import jax
import jax.numpy as jnp
from jax import lax


def local_response_norm(
    x: jax.Array,
    size: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
    alpha_is_divided_by_size: bool = False,
) -> jax.Array:
    """Divide each unit by (k + alpha * sum of squares over `size` channels) ** beta.

    The sum goes over the channels from i - (size - 1) / 2 to i + (size - 1) / 2 that exist. Three
    functions go by the constants of the paper: Caffe, cuda-convnet and PyTorch divide alpha by
    `size` (`alpha_is_divided_by_size=True`), and Caffe's and PyTorch's k is 1 unless set.

    Source: Krizhevsky et al. 2012, section 3.3, whose constants are the defaults.

    Args:
        x: (..., C), floating.
        size: channels in the sum, odd.
        k: added to the sum; the paper's k, Caffe's `k`, cuda-convnet's `minDiv`.
        alpha: weight of the sum.
        beta: exponent of the divisor.
        alpha_is_divided_by_size: whether the weight is alpha / size.

    Returns:
        Of the shape and dtype of `x`, computed in float32 at least.

    Raises:
        ValueError: if `size` is even or below 1.

    Example:
        >>> y = local_response_norm(jnp.ones((1, 1, 1, 8)), k=1.0, alpha=1.0, beta=1.0)
        >>> [f"{unit:.3f}" for unit in y.ravel()[:3]]  # 3, 4 and 5 channels exist around them
        ['0.250', '0.200', '0.167']
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"local response normalisation over {size} channels: must be odd")
    wide = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    flat = (1,) * (x.ndim - 1)
    edges = ((0, 0),) * (x.ndim - 1) + ((size // 2, size // 2),)
    total = lax.reduce_window(jnp.square(wide), 0.0, lax.add, (*flat, size), (*flat, 1), edges)
    weight = alpha / size if alpha_is_divided_by_size else alpha
    # A power takes XLA:CPU several times as long as a logarithm and an exponential.
    return jnp.asarray(wide * jnp.exp(-beta * jnp.log(k + weight * total)), x.dtype)
