"""Dropout whose masks do not depend on how the batch is divided."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.layers.batch_view import BatchView


class Dropout(nn.Module):
    """Zero each unit with probability `rate` in training and scale the rest by 1 / (1 - rate).

    The mask of an example is drawn from its own key, made of the rng stream `dropout`, the path of
    the layer and the example's position in the global batch: it is the same on any number of
    devices and in any batch size.

    Source: Hinton et al. 2012, arXiv:1207.0580; Srivastava et al. 2014, JMLR 15, which scale the
    weights by 1 - rate at test time instead (section 10: the two are equivalent).

    Args:
        rate: probability of zeroing, in [0, 1); a number, or a scalar array that may be traced. The
            number 0 leaves nothing in the program.
        view: the part of the global batch in view.

    Example:
        >>> rngs = {"dropout": jax.random.key(0)}
        >>> y = Dropout(0.5).apply({}, jnp.ones((1, 100)), True, rngs=rngs)
        >>> sorted(set(y.ravel().tolist()))
        [0.0, 2.0]
    """

    rate: float | jax.Array
    view: BatchView = BatchView()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Drop units.

        Args:
            x: (N, ..., C), floating.
            train: False returns `x` as it is.

        Returns:
            Of the shape and dtype of `x`.

        Raises:
            ValueError: if `rate` is a number outside [0, 1).
        """
        if not isinstance(self.rate, jax.Array):
            if not 0 <= self.rate < 1:
                raise ValueError(f"dropout rate {self.rate!r}: must be at least 0 and below 1")
            if self.rate == 0:
                return x
        if not train:
            return x
        positions = self.view.first_position + jnp.arange(x.shape[0])
        keys = jax.vmap(jax.random.fold_in, (None, 0))(self.make_rng("dropout"), positions)
        noise = jax.vmap(lambda key: jax.random.uniform(key, x.shape[1:], jnp.float32))(keys)
        rate = jnp.asarray(self.rate, jnp.float32)
        scale = jnp.asarray(1 / (1 - rate), x.dtype)
        return jnp.where(noise >= rate, x * scale, jnp.zeros((), x.dtype))
