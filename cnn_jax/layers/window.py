"""How a sliding window fits on an image: sizes, padding and rounding."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from cnn_jax.config.problems import hint

Pair = tuple[int, int]
Borders = tuple[Pair, Pair]
Padding = int | Pair | Borders | str

ROUNDINGS = ("floor", "ceil", "exact")


def pair(value: int | Sequence[int], name: str, least: int = 1) -> Pair:
    """Read an int or a (height, width) pair of ints.

    Args:
        value: one int for both directions, or (height, width).
        name: what the value is, for the error message.
        least: smallest value allowed.

    Returns:
        (height, width).

    Raises:
        ValueError: if the value is neither, or below `least`.

    Example:
        >>> pair(3, "size"), pair((1, 7), "size")
        ((3, 3), (1, 7))
    """
    numbers = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(numbers) != 2 or not all(type(n) is int and n >= least for n in numbers):
        raise ValueError(
            f"{name} = {value!r}: give one int or (height, width), each at least {least}"
        )
    return numbers


def fit_window(
    image: Pair,
    window: Pair,
    strides: Pair,
    padding: Padding = 0,
    dilation: Pair = (1, 1),
    rounding: str = "floor",
    noun: str = "filter",
) -> tuple[Pair, Borders]:
    """Place a sliding window on an image.

    Along each direction the output has (image + padding - extent) / stride + 1 positions, where
    extent = (window - 1) * dilation + 1. `rounding` says what happens when the division leaves a
    rest: `'floor'` ignores the last rows and columns; `'ceil'` pads at the bottom and right until
    one more window fits, unless that window would start beyond the image and its top or left
    padding (the rule of Caffe's and PyTorch's pooling); `'exact'` refuses.

    Args:
        image: (height, width) of the input, pixels.
        window: (height, width) of the window, pixels.
        strides: (vertical, horizontal) step, pixels.
        padding: pixels around the image: one int, (vertical, horizontal),
            ((top, bottom), (left, right)), `'VALID'` (none) or `'SAME'` (ceil(image / stride)
            positions, the odd pixel at the bottom and right, as TensorFlow).
        dilation: (vertical, horizontal) distance of neighbouring window elements, pixels.
        rounding: `'floor'`, `'ceil'` or `'exact'`.
        noun: what the window is called in an error message.

    Returns:
        The (height, width) of the output and the padding ((top, bottom), (left, right)), which
        includes what `'ceil'` added.

    Raises:
        ValueError: if the window is larger than the padded image, if it does not fit exactly with
            rounding `'exact'`, or if an argument is not understood.

    Example:
        >>> fit_window((7, 7), (3, 3), (2, 2))
        ((3, 3), ((0, 0), (0, 0)))
        >>> fit_window((224, 224), (11, 11), (4, 4), rounding="ceil")[0]
        (55, 55)
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding = {rounding!r}: allowed are {', '.join(ROUNDINGS)}")
    borders = _borders(padding, image, window, strides, dilation)
    sizes: list[int] = []
    grown: list[Pair] = []
    for axis in range(2):
        low, high = borders[axis]
        extent = (window[axis] - 1) * dilation[axis] + 1
        room = image[axis] + low + high - extent
        if room < 0:
            reason = f"the padded input is only {image[axis] + low + high} pixels long"
            raise ValueError(_misfit(noun, image, window, strides, padding, dilation, reason))
        size = room // strides[axis] + 1
        if room % strides[axis] and rounding == "exact":
            reason = f"{room} / {strides[axis]} + 1 positions is not a whole number"
            raise ValueError(_misfit(noun, image, window, strides, padding, dilation, reason))
        if rounding == "ceil" and size * strides[axis] < image[axis] + low:
            size = ceil(room / strides[axis]) + 1
            high = max(high, (size - 1) * strides[axis] + extent - image[axis] - low)
        sizes.append(size)
        grown.append((low, high))
    return (sizes[0], sizes[1]), (grown[0], grown[1])


def _borders(padding: Padding, image: Pair, window: Pair, strides: Pair, dilation: Pair) -> Borders:
    if padding == "VALID":
        return (0, 0), (0, 0)
    if padding == "SAME":
        totals = [
            max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d in zip(image, window, strides, dilation, strict=True)
        ]
        return (totals[0] // 2, -(-totals[0] // 2)), (totals[1] // 2, -(-totals[1] // 2))
    if isinstance(padding, str):
        raise ValueError(f"padding = {padding!r} is unknown{hint(padding, ('SAME', 'VALID'))}")
    sides: tuple[Any, ...] = tuple(padding) if isinstance(padding, Sequence) else (padding, padding)
    if len(sides) != 2:
        raise ValueError(f"padding = {padding!r}: give one for each of the two directions")
    return pair(sides[0], "padding", least=0), pair(sides[1], "padding", least=0)


def _misfit(
    noun: str,
    image: Pair,
    window: Pair,
    strides: Pair,
    padding: Padding,
    dilation: Pair,
    reason: str,
) -> str:
    stride = str(strides[0]) if strides[0] == strides[1] else f"{strides[0]}x{strides[1]}"
    extras = f" and padding {padding}" if padding not in (0, "VALID") else ""
    extras += f" and dilation {dilation[0]}x{dilation[1]}" if dilation != (1, 1) else ""
    return (
        f"cannot apply a {window[0]}x{window[1]} {noun} on a {image[0]}x{image[1]} input "
        f"with stride {stride}{extras}: {reason}"
    )
