"""Euclidean radial basis function units."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def squared_distances(x: jax.Array, centres: ArrayLike) -> jax.Array:
    """Compute the squared Euclidean distance of every example to every centre.

    Source: LeCun et al. 1998, section II.B, equation 7: the output units of LeNet-5.

    Args:
        x: (N, F), floating.
        centres: one a unit, (units, F).

    Returns:
        (N, units), in float32 at least.

    Raises:
        ValueError: if the widths differ.

    Example:
        >>> squared_distances(jnp.array([[1.0, 0.0]]), jnp.eye(2)).tolist()
        [[0.0, 2.0]]
    """
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    centres = jnp.asarray(centres, dtype)
    if x.shape[-1] != centres.shape[-1]:
        raise ValueError(f"{x.shape[-1]} features and centres of {centres.shape[-1]}")
    # The differences, not |x|^2 - 2 x.c + |c|^2, which loses digits close to a centre.
    return jnp.sum(jnp.square(x.astype(dtype)[:, None] - centres), axis=-1)
