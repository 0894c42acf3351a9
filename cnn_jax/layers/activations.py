"""Activation functions, by name."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Final

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from cnn_jax.config.problems import hint


def linear(x: jax.Array) -> jax.Array:
    """Return the input.

    Example:
        >>> linear(jnp.array([-1.0, 2.0])).tolist()
        [-1.0, 2.0]
    """
    return x


def scaled_tanh(x: jax.Array) -> jax.Array:
    """Compute 1.7159 tanh(2x / 3), which maps 1 to 1 (LeCun et al. 1998, appendix A).

    Example:
        >>> f"{scaled_tanh(jnp.array(1.0)):.3f}"
        '1.000'
    """
    return 1.7159 * jnp.tanh(x * (2 / 3))


def softsign(x: jax.Array) -> jax.Array:
    """Compute x / (1 + |x|) (Bergstra et al. 2009; Glorot & Bengio 2010, section 2.3).

    Example:
        >>> softsign(jnp.array([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """
    return x / (1 + jnp.abs(x))


MAXOUT_PIECES: Final = 2
INITIAL_SLOPE: Final = 0.25  # He et al. 2015, section 2.1


def maxout(x: jax.Array, pieces: int = MAXOUT_PIECES) -> jax.Array:
    """Take the maximum over `pieces` neighbouring channels.

    Source: Goodfellow et al. 2013, arXiv:1302.4389, section 2.

    Args:
        x: (..., C).
        pieces: channels in one unit; divides C.

    Returns:
        (..., C / pieces) of the dtype of `x`.

    Raises:
        ValueError: if `pieces` does not divide C.

    Example:
        >>> maxout(jnp.array([1.0, 4.0, 3.0, 2.0])).tolist()
        [4.0, 3.0]
    """
    if x.shape[-1] % pieces:
        raise ValueError(f"maxout: {pieces} pieces do not divide {x.shape[-1]} channels")
    # Not by a reduction, whose maximum passes NaN over on XLA:CPU.
    return reduce(jnp.maximum, [x[..., piece::pieces] for piece in range(pieces)])


# The slopes are those of Maas et al. 2013 (0.01) and Xu et al. 2015, arXiv:1505.00853 (1/3).
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "linear": linear,
    "identity": linear,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "scaled_tanh": scaled_tanh,
    "softsign": softsign,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.01),
    "very_leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.333),
    "elu": jax.nn.elu,
    "maxout": maxout,
}


def activation(name: str) -> Callable[[jax.Array], jax.Array]:
    """Look up an activation function.

    `maxout` halves the channels; `prelu` has parameters and is the module `PReLU`.

    Args:
        name: a key of `ACTIVATIONS`.

    Returns:
        A function from an array to an array of its dtype.

    Raises:
        ValueError: if the name is unknown.

    Example:
        >>> activation("relu")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is unknown{hint(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]


class PReLU(nn.Module):
    """Rectifier whose slope below zero is learned: max(0, x) + slope * min(0, x).

    The parameter is `slope`, (C,) or, where shared, (); it starts at 0.25. The paper applies no
    weight decay to it.

    Source: He et al. 2015, arXiv:1502.01852, section 2.1.

    Args:
        shared: one slope for all channels rather than one a channel.
        dtype: of the computation and the output.

    Example:
        >>> layer = PReLU(shared=True)
        >>> layer.apply({"params": {"slope": 0.25}}, jnp.array([-4.0, 2.0])).tolist()
        [-1.0, 2.0]
    """

    shared: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Rectify.

        Args:
            x: (..., C).

        Returns:
            (..., C) of dtype `self.dtype`.
        """
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        shape = () if self.shared else x.shape[-1:]
        first = nn.initializers.constant(INITIAL_SLOPE)
        slope = self.param("slope", first, shape, parameter_dtype)
        x = jnp.asarray(x, self.dtype)
        return jnp.where(x > 0, x, x * jnp.asarray(slope, self.dtype))
