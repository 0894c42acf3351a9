"""Initialisers that look at the shape of a parameter alone.

Each builder returns `f(key, shape, dtype)`. Normal distributions are not truncated unless the name
says so; "variance" and "std" are those of the numbers drawn.
"""

from collections.abc import Callable, Sequence
from math import exp, prod, sqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from cnn_jax.initializers import noise
from cnn_jax.initializers.fans import check_mode, fan

Initializer = Callable[..., jax.Array]

# The standard deviation of N(0, 1) cut at two standard deviations.
_TRUNCATED_STD = 0.87962566103423978


def constant(value: float) -> Initializer:
    """Fill with one number, such as AlexNet's biases of 1.

    Example:
        >>> constant(1.0)(jax.random.key(0), (3,)).tolist()
        [1.0, 1.0, 1.0]
    """

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return jnp.full(shape, value, dtype)

    return draw


def zeros() -> Initializer:
    """Fill with zeros.

    Example:
        >>> zeros()(jax.random.key(0), (2,)).tolist()
        [0.0, 0.0]
    """
    return constant(0.0)


def ones() -> Initializer:
    """Fill with ones.

    Example:
        >>> ones()(jax.random.key(0), (2,)).tolist()
        [1.0, 1.0]
    """
    return constant(1.0)


def gaussian(std: float) -> Initializer:
    """Draw from N(0, std^2), not truncated (Krizhevsky et al. 2012, section 5: std 0.01).

    Example:
        >>> weights = gaussian(std=0.01)(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"
        '0.010'
    """
    return _drawn(noise.normal, lambda shape: std)


def truncated_gaussian(std: float) -> Initializer:
    """Draw from N(0, std^2) cut at two std; the numbers drawn have a std of 0.8796 `std`.

    Example:
        >>> weights = truncated_gaussian(std=0.01)(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"
        '0.020'
    """
    return _drawn(noise.truncated_normal, lambda shape: std)


def uniform(scale: float) -> Initializer:
    """Draw from U[-scale, scale].

    Example:
        >>> weights = uniform(scale=0.05)(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"
        '0.050'
    """
    return _drawn(noise.uniform, lambda shape: scale)


def fan_in_uniform(gain: float = 1.0) -> Initializer:
    """Draw from U[-gain / sqrt(fan_in), gain / sqrt(fan_in)].

    With gain 1 the "standard" heuristic of Glorot & Bengio 2010, equation 1.

    Example:
        >>> weights = fan_in_uniform()(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"  # 1 / sqrt(300)
        '0.058'
    """
    return _drawn(noise.uniform, lambda shape: gain / sqrt(fan(shape, "fan_in")))


def lecun_1998_uniform() -> Initializer:
    """Draw from U[-2.4 / fan_in, 2.4 / fan_in] (LeCun et al. 1998, appendix A), no root.

    Example:
        >>> weights = lecun_1998_uniform()(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"  # 2.4 / 300
        '0.008'
    """
    return _drawn(noise.uniform, lambda shape: 2.4 / fan(shape, "fan_in"))


def lecun_normal() -> Initializer:
    """Draw from N(0, 1 / fan_in) (LeCun et al. 1998, Efficient BackProp, section 4.6).

    Example:
        >>> weights = lecun_normal()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # 1 / sqrt(300)
        '0.058'
    """
    return _scaled_normal(1.0, "fan_in")


def lecun_uniform() -> Initializer:
    """Draw uniformly with variance 1 / fan_in (Efficient BackProp, section 4.6).

    Example:
        >>> weights = lecun_uniform()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # 1 / sqrt(300)
        '0.058'
    """
    return _scaled_uniform(1.0, "fan_in")


def glorot_normal() -> Initializer:
    """Draw from N(0, 2 / (fan_in + fan_out)) (Glorot & Bengio 2010, equation 12).

    Example:
        >>> weights = glorot_normal()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 500)
        '0.063'
    """
    return _scaled_normal(1.0, "fan_avg")


def glorot_uniform() -> Initializer:
    """Draw uniformly with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010, equation 16).

    Example:
        >>> weights = glorot_uniform()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 500)
        '0.063'
    """
    return _scaled_uniform(1.0, "fan_avg")


def he_normal(mode: str = "fan_in", slope: float = 0.0) -> Initializer:
    """Draw from N(0, 2 / ((1 + slope^2) fan)) (He et al. 2015, arXiv:1502.01852, section 2.2).

    Args:
        mode: `'fan_in'` (equation 10), `'fan_out'` (equation 14, the one used in the paper's
            experiments) or `'fan_avg'`.
        slope: of the rectifier below zero, 0 for ReLU (equation 15).

    Example:
        >>> weights = he_normal()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 300)
        '0.082'
    """
    return _scaled_normal(2 / (1 + slope**2), mode)


def he_uniform(mode: str = "fan_in", slope: float = 0.0) -> Initializer:
    """Draw uniformly with the variance of `he_normal`.

    Example:
        >>> weights = he_uniform()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 300)
        '0.082'
    """
    return _scaled_uniform(2 / (1 + slope**2), mode)


def truncated_he_normal(mode: str = "fan_in", slope: float = 0.0) -> Initializer:
    """Draw from a normal cut at two std, with the variance of `he_normal` after the cut.

    What JAX and Keras call he_normal.

    Example:
        >>> weights = truncated_he_normal()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 300)
        '0.082'
    """
    check_mode(mode)
    variance = 2 / (1 + slope**2)
    return _drawn(
        noise.truncated_normal, lambda shape: sqrt(variance / fan(shape, mode)) / _TRUNCATED_STD
    )


def orthogonal(gain: float = 1.0) -> Initializer:
    """Draw a random orthogonal matrix times `gain` (Saxe et al. 2013, arXiv:1312.6120, section 3).

    The matrix is (everything before the last axis, last axis): its columns are orthonormal, or its
    rows where there are fewer of them.

    Example:
        >>> matrix = orthogonal()(jax.random.key(0), (3, 2))
        >>> bool(jnp.allclose(matrix.T @ matrix, jnp.eye(2), atol=1e-6))
        True
    """

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        rows, columns = prod(shape[:-1]), shape[-1]
        matrix = noise.normal(key, (max(rows, columns), min(rows, columns)), dtype, 1.0)
        # XLA compiles a QR for each shape, half a second; numpy has one for all.
        linear: Any = jnp if isinstance(matrix, jax.core.Tracer) else np
        q, r = linear.linalg.qr(matrix)
        # QR leaves the signs to the algorithm; with those of diag(r) the draw is uniform (Haar).
        q = q * linear.sign(linear.diagonal(r)) * linear.asarray(gain, q.dtype)
        return jnp.asarray((q if rows >= columns else q.T).reshape(shape), dtype)

    return draw


def random_walk(activation: str = "relu", gain: float | None = None) -> Initializer:
    """Draw from N(0, g^2 / N) with the g that keeps the norm of gradients (Sussillo & Abbott).

    g = exp(1 / (2N)) for `'linear'` and sqrt(2) exp(1.2 / (max(N, 6) - 2.4)) for `'relu'`. The
    paper's layers are square; here N is the fan_in, so that the forward scale is the paper's for
    rectangular layers too. It has no formula for tanh: pass the `gain`, 1.1 to 1.3 in the paper.

    Source: Sussillo & Abbott 2014, arXiv:1412.6558.

    Args:
        activation: `'relu'` or `'linear'`; without effect where `gain` is given.
        gain: the factor g, in place of these formulas.

    Example:
        >>> weights = random_walk()(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2) exp(1.2 / 297.6) / sqrt(300)
        '0.082'
    """
    if activation not in ("relu", "linear"):
        raise ValueError(
            f"activation = {activation!r}: allowed are relu and linear, else give gain"
        )

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        width = fan(shape, "fan_in")
        if gain is not None:
            g = gain
        elif activation == "linear":
            g = exp(1 / (2 * width))
        else:
            g = sqrt(2) * exp(1.2 / (max(width, 6) - 2.4))
        return noise.normal(key, shape, dtype, g / sqrt(width))

    return draw


def caffe_xavier(mode: str = "fan_in") -> Initializer:
    """Draw uniformly with variance 1 / fan, Caffe's filler `xavier`, fan_in by default.

    Example:
        >>> weights = caffe_xavier()(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"  # sqrt(3 / 300)
        '0.100'
    """
    return _scaled_uniform(1.0, mode)


def caffe_msra(mode: str = "fan_in") -> Initializer:
    """Draw from N(0, 2 / fan), Caffe's filler `msra`, fan_in by default.

    Example:
        >>> weights = caffe_msra(mode="fan_out")(jax.random.key(0), (300, 200))
        >>> f"{weights.std():.3f}"  # sqrt(2 / 200)
        '0.100'
    """
    return _scaled_normal(2.0, mode)


def torch_default() -> Initializer:
    """Draw from U[-1 / sqrt(fan_in), 1 / sqrt(fan_in)], PyTorch's default for conv and linear.

    Written there as kaiming_uniform with a = sqrt(5). PyTorch draws biases with the fan_in of the
    weights, which the shape of a bias does not show: give those `uniform(scale)`.

    Example:
        >>> weights = torch_default()(jax.random.key(0), (300, 200))
        >>> f"{abs(weights).max():.3f}"  # 1 / sqrt(300)
        '0.058'
    """
    return fan_in_uniform(1.0)


INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    "zeros": zeros,
    "ones": ones,
    "constant": constant,
    "gaussian": gaussian,
    "truncated_gaussian": truncated_gaussian,
    "uniform": uniform,
    "fan_in_uniform": fan_in_uniform,
    "lecun_1998_uniform": lecun_1998_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "truncated_he_normal": truncated_he_normal,
    "orthogonal": orthogonal,
    "random_walk": random_walk,
    "caffe_xavier": caffe_xavier,
    "caffe_msra": caffe_msra,
    "torch_default": torch_default,
}


def _drawn(
    sampler: Callable[..., jax.Array], scale: Callable[[Sequence[int]], float]
) -> Initializer:
    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        return sampler(key, shape, dtype, scale(shape))

    return draw


def _scaled_normal(scale: float, mode: str) -> Initializer:
    check_mode(mode)
    return _drawn(noise.normal, lambda shape: sqrt(scale / fan(shape, mode)))


def _scaled_uniform(scale: float, mode: str) -> Initializer:
    check_mode(mode)
    return _drawn(noise.uniform, lambda shape: sqrt(3 * scale / fan(shape, mode)))
