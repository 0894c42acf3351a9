"""Batch normalisation, with the scope of its statistics."""

from collections.abc import Callable
from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from cnn_jax.layers.batch_view import BatchView


class BatchNorm(nn.Module):
    """Normalise every channel by statistics of the batch, then scale and shift.

    Parameters are `scale` and `bias` (C,); the collection `batch_stats` holds the running `mean`
    and `var` (C,). All four are float32, or float64 where `dtype` is. Running statistics move as
    running = momentum * running + (1 - momentum) * batch (PyTorch's momentum is 1 - this one).

    The batch over which statistics are taken is what `view` says: every example in view; those of
    the whole mapped axis; those of each device; or virtual batches of `view.statistics_group`
    neighbouring examples. Running statistics follow the mean over virtual batches and devices of
    the means and of the variances, so that replicas stay equal.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2. Virtual batches: Hoffer et
    al. 2017, arXiv:1705.08741, section 4.

    Args:
        momentum: weight of the old running statistics, a number or a scalar array.
        epsilon: added to the variance.
        view: the part of the global batch in view.
        use_scale: whether a scale is learned.
        scale_init: `f(key, shape, dtype)` for the scale.
        unbiased_running_variance: whether the running variance takes the batch's with divisor n - 1
            (the paper, PyTorch) rather than n (TensorFlow, flax). The division of the activations
            always has n.
        dtype: of the output; statistics are computed in float32 at least.

    Example:
        >>> x = jnp.array([[1.0], [3.0]])
        >>> y, _ = BatchNorm().init_with_output(jax.random.key(0), x, train=True)
        >>> y.round(3).tolist()
        [[-1.0], [1.0]]
    """

    momentum: float | jax.Array = 0.9
    epsilon: float = 1e-5
    view: BatchView = BatchView()
    use_scale: bool = True
    scale_init: Callable[..., jax.Array] = nn.initializers.ones_init()
    unbiased_running_variance: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Normalise.

        Args:
            x: (N, ..., C).
            train: True uses the batch's statistics and updates the running ones if `batch_stats` is
                mutable; False uses the running ones.

        Returns:
            Of the shape of `x`, dtype `self.dtype`.

        Raises:
            ValueError: if `view.statistics_group` does not divide the examples in view.
        """
        shape = x.shape[-1:]
        dtype = jnp.promote_types(self.dtype, jnp.float32)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape, dtype)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape, dtype)
        scale = self.param("scale", self.scale_init, shape, dtype) if self.use_scale else None
        bias = self.param("bias", nn.initializers.zeros_init(), shape, dtype)

        x = jnp.asarray(x, jnp.promote_types(x.dtype, dtype))
        if not train:
            y = _normalise(x, running_mean.value, running_var.value, self.epsilon, scale, bias)
            return jnp.asarray(y, self.dtype)

        grouped = self._virtual_batches(x)
        axis_name = self._statistics_axis()
        mean, var = _moments(grouped, axis_name)
        y = _normalise(grouped, mean, var, self.epsilon, scale, bias).reshape(x.shape)
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            count = prod(grouped.shape[1:-1]) * (lax.axis_size(axis_name) if axis_name else 1)
            if self.unbiased_running_variance:
                var = var * (count / max(count - 1, 1))
            self._update(running_mean, mean)
            self._update(running_var, var)
        return jnp.asarray(y, self.dtype)

    def _virtual_batches(self, x: jax.Array) -> jax.Array:
        group = self.view.statistics_group or x.shape[0]
        if x.shape[0] % group:
            raise ValueError(
                f"batch normalisation over {group} examples: {group} does not divide the "
                f"{x.shape[0]} examples in view"
            )
        return x.reshape(x.shape[0] // group, group, *x.shape[1:])

    def _statistics_axis(self) -> str | None:
        return self.view.axis_name if self.view.statistics_group is None else None

    def _update(self, running: nn.Variable, batch: jax.Array) -> None:
        batch = lax.stop_gradient(batch).mean(axis=tuple(range(batch.ndim - 1)))
        if self.view.axis_name is not None and self._statistics_axis() is None:
            batch = lax.pmean(batch, self.view.axis_name)
        momentum = jnp.asarray(self.momentum, batch.dtype)
        running.value = momentum * running.value + (1 - momentum) * batch


def _moments(x: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array]:
    # Centred before squaring: E[x^2] - E[x]^2 cancels where the mean is far from zero.
    axes = tuple(range(1, x.ndim - 1))
    mean = x.mean(axes, keepdims=True)
    if axis_name is not None:
        mean = lax.pmean(mean, axis_name)
    var = jnp.square(x - mean).mean(axes, keepdims=True)
    if axis_name is not None:
        var = lax.pmean(var, axis_name)
    return mean, var


def _normalise(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    epsilon: float,
    scale: jax.Array | None,
    bias: jax.Array,
) -> jax.Array:
    factor = lax.rsqrt(var + epsilon)
    return (x - mean) * (factor if scale is None else factor * scale) + bias
