"""Arithmetic of a stack of layers: sizes, parameters, operations, receptive fields.

Pure Python, for hand calculations, estimates and tests; nothing here runs a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from cnn_jax.layers.window import Padding, Pair, fit_window, pair

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Convolution:
    """Convolution with `filters` filters; the arguments are those of `convolution.Conv`."""

    filters: int
    size: int | Pair
    stride: int | Pair = 1
    padding: Padding = 0
    dilation: int | Pair = 1
    groups: int = 1
    bias: bool = True
    rounding: str = "floor"


@dataclass(frozen=True)
class Pooling:
    """Max or average pooling; without a stride the windows do not overlap."""

    size: int | Pair
    stride: int | Pair | None = None
    padding: Padding = 0
    rounding: str = "floor"


@dataclass(frozen=True)
class FullyConnected:
    """Fully connected layer over everything before it."""

    features: int
    bias: bool = True


Layer = Convolution | Pooling | FullyConnected


@dataclass(frozen=True)
class Extent:
    """What a layer of a stack is like.

    Args:
        output: (height, width, channels).
        parameters: weights and biases of this layer.
        macs: multiplications with accumulation for one image, without biases.
        receptive_field: (height, width) of the input that one output sees, pixels; it may reach
            beyond the image.
        stride: (vertical, horizontal) distance in the input of two neighbouring outputs, pixels.
    """

    output: Shape
    parameters: int
    macs: int
    receptive_field: Pair
    stride: Pair


def output_size(
    size: int,
    window: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    rounding: str = "floor",
) -> int:
    """Count the positions of a window along one direction.

    Args:
        size: of the input, pixels.
        window: pixels.
        stride: pixels.
        padding: pixels added at both ends.
        dilation: distance of neighbouring window elements, pixels.
        rounding: `'floor'`, `'ceil'` or `'exact'`, see `window.fit_window`.

    Returns:
        (size + 2 padding - extent) / stride + 1, rounded.

    Raises:
        ValueError: if the window does not fit.
    """
    both = (size, size), (window, window), (stride, stride)
    return fit_window(*both, padding, (dilation, dilation), rounding)[0][0]


def follow(image: Shape, layers: Sequence[Layer]) -> list[Extent]:
    """Follow an image through a stack of layers.

    Args:
        image: (height, width, channels) of the input.
        layers: from the input on.

    Returns:
        One `Extent` a layer.

    Raises:
        ValueError: if a window does not fit, or groups do not divide the channels.
    """
    extents: list[Extent] = []
    before = Extent(image, 0, 0, (1, 1), (1, 1))
    for layer in layers:
        if isinstance(layer, FullyConnected):
            before = _fully_connected(before, layer, image)
        else:
            before = _windowed(before, layer)
        extents.append(before)
    return extents


def _fully_connected(before: Extent, layer: FullyConnected, image: Shape) -> Extent:
    weights = prod(before.output) * layer.features
    parameters = weights + layer.features * layer.bias
    whole = (image[0], image[1])
    return Extent((1, 1, layer.features), parameters, weights, whole, whole)


def _windowed(before: Extent, layer: Convolution | Pooling) -> Extent:
    height, width, channels = before.output
    window = pair(layer.size, "size")
    stride = window if layer.stride is None else pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation") if isinstance(layer, Convolution) else (1, 1)
    (rows, columns), _ = fit_window(
        (height, width), window, stride, layer.padding, dilation, layer.rounding
    )
    field = tuple(
        before.receptive_field[a] + (window[a] - 1) * dilation[a] * before.stride[a]
        for a in range(2)
    )
    steps = (before.stride[0] * stride[0], before.stride[1] * stride[1])
    if isinstance(layer, Pooling):
        return Extent((rows, columns, channels), 0, 0, (field[0], field[1]), steps)
    if channels % layer.groups or layer.filters % layer.groups:
        raise ValueError(
            f"{layer.groups} groups must divide the {channels} channels of the input "
            f"and the {layer.filters} filters"
        )
    weights = prod(window) * channels // layer.groups * layer.filters
    return Extent(
        (rows, columns, layer.filters),
        weights + layer.filters * layer.bias,
        rows * columns * weights,
        (field[0], field[1]),
        steps,
    )
