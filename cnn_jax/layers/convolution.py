"""Two-dimensional convolution."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from cnn_jax.layers import formulation
from cnn_jax.layers.canonical_convolution import canonical_convolution
from cnn_jax.layers.window import Borders, Padding, Pair, fit_window, pair

Initializer = Callable[..., jax.Array]


def conv2d(
    x: jax.Array,
    kernel: jax.Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: str = "floor",
) -> jax.Array:
    """Convolve images with filters (cross-correlation, as in every network here).

    On CPU the gradients are a custom VJP, bit-identical to JAX's own but where another form is
    faster: groups are convolved one by one, filters of 1x1 or of the whole image, unpadded, are
    matrix products, and few channels or filters, or filters that are no multiple of 16, have forms
    of their own. These agree to rounding. See `formulation.use` for forward-mode derivatives.

    Args:
        x: images (N, H, W, C), floating.
        kernel: filters (kh, kw, C / groups, O) of the dtype of `x`.
        strides: one int or (vertical, horizontal), pixels.
        padding: one int, (vertical, horizontal), ((top, bottom), (left, right)), `'SAME'` or
            `'VALID'`; the padding is zero.
        dilation: distance of neighbouring filter elements, one int or (vertical, horizontal).
        groups: blocks of channels that do not see each other; divides C and O.
        rounding: `'floor'`, `'ceil'` or `'exact'`, see `window.fit_window`.

    Returns:
        (N, H', W', O) of the dtype of `x`.

    Raises:
        ValueError: if the shapes do not agree, or the filter does not fit on the image.

    Example:
        >>> conv2d(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
        [[9.0, 9.0], [9.0, 9.0]]
    """
    _check_channels(x, kernel, groups)
    strides, dilation = pair(strides, "strides"), pair(dilation, "dilation")
    _, borders = fit_window(
        (x.shape[1], x.shape[2]),
        (kernel.shape[0], kernel.shape[1]),
        strides,
        padding,
        dilation,
        rounding,
    )
    if formulation.current() == formulation.PLAIN:
        return lax.conv_general_dilated(
            x,
            kernel,
            strides,
            borders,
            rhs_dilation=dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )
    if groups == 1:
        return _convolve_one_group(x, kernel, strides, borders, dilation)
    outputs = [
        _convolve_one_group(images, filters, strides, borders, dilation)
        for images, filters in zip(
            jnp.split(x, groups, axis=-1), jnp.split(kernel, groups, axis=-1), strict=True
        )
    ]
    return jnp.concatenate(outputs, axis=-1)


class Conv(nn.Module):
    """Convolution of NHWC images with learned filters and biases.

    Parameters are `kernel` (kh, kw, C / groups, features) and `bias` (features,), in float32, or
    float64 where `dtype` is. Arguments not listed are those of `conv2d`.

    Args:
        features: number of filters.
        kernel_size: one int or (height, width), pixels.
        use_bias: whether a bias is added to every map.
        kernel_init: `f(key, shape, dtype)` for the filters.
        bias_init: the same for the biases.
        dtype: of the computation and the output.

    Example:
        >>> layer, images = Conv(6, 5), jnp.ones((1, 32, 32, 3))
        >>> y, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), images)
        >>> y.shape, variables["params"]["kernel"].shape
        ((1, 28, 28, 6), (5, 5, 3, 6))
    """

    features: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: Padding = 0
    dilation: int | Sequence[int] = 1
    groups: int = 1
    use_bias: bool = True
    rounding: str = "floor"
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve.

        Args:
            x: images (N, H, W, C).

        Returns:
            (N, H', W', features) of dtype `self.dtype`.

        Raises:
            ValueError: as `conv2d`.
        """
        channels = x.shape[-1]
        if channels % self.groups or self.features % self.groups:
            raise ValueError(
                f"{self.groups} groups must divide the {channels} channels of the input "
                f"and the {self.features} features"
            )
        parameter_dtype = jnp.promote_types(self.dtype, jnp.float32)
        shape = (*pair(self.kernel_size, "kernel_size"), channels // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, parameter_dtype)
        y = conv2d(
            jnp.asarray(x, self.dtype),
            jnp.asarray(kernel, self.dtype),
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            rounding=self.rounding,
        )
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), parameter_dtype)
            y = y + jnp.asarray(bias, self.dtype)
        return y


def _convolve_one_group(
    x: jax.Array, kernel: jax.Array, strides: Pair, borders: Borders, dilation: Pair
) -> jax.Array:
    if borders == ((0, 0), (0, 0)):
        # As matrix products, two to twenty times faster on CPU.
        if kernel.shape[:2] == (1, 1):
            return x[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
        if kernel.shape[:3] == x.shape[1:]:
            matrix = kernel.reshape(-1, kernel.shape[3])
            return (x.reshape(x.shape[0], -1) @ matrix)[:, None, None]
    return canonical_convolution(x, kernel, strides, borders, dilation)


def _check_channels(x: jax.Array, kernel: jax.Array, groups: int) -> None:
    if x.ndim != 4 or kernel.ndim != 4:
        raise ValueError(
            f"images must be (N, H, W, C) and filters (kh, kw, C, O), "
            f"got shapes {x.shape} and {kernel.shape}"
        )
    if kernel.shape[2] * groups != x.shape[3] or kernel.shape[3] % groups:
        raise ValueError(
            f"filters of shape {kernel.shape} in {groups} groups see {kernel.shape[2] * groups} "
            f"channels, the images have {x.shape[3]}; the groups must also divide the outputs"
        )
