"""How an image is shown to a trained network: the papers' views, by name.

The probabilities of all views of an image are averaged.

| name | views | source |
|---|---|---|
| `centre` | 1: the crop of `config.test_crop` | |
| `10_crop` | 4 corners and the centre of a square, mirrored | Krizhevsky et al. 2012, section 4.1 |
| `144_crop` | 4 scales, 3 squares, 6 crops, mirrored | Szegedy et al. 2015, section 7 |
| `grid` | 5x5 positions at 3 scales, mirrored: 150 | Simonyan & Zisserman 2015, section 3.2 |
| `dense` | whole images at one or several scales, mirrored | the same |
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnn_jax.config.arguments import Argument
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.validate import argument_problems
from cnn_jax.config.values import Values, values_of
from cnn_jax.data.crops import Box, Crop, CropRule, draws, with_shorter_side


@dataclass(frozen=True)
class Protocol:
    """How an image is shown.

    Attributes:
        crops: height and width of an image -> its views; of every image equally many.
        mirrored: whether each view is seen in its mirror, too.
        dense: whether a view may be larger than in training.
    """

    crops: Callable[[int, int], list[Crop]]
    mirrored: bool = True
    dense: bool = False


def centre(rule: CropRule, size: int) -> Protocol:
    """One view, not mirrored: the crop of the config.

    Args:
        rule: that of `config.test_crop`; it must not draw.
        size: of the network's images, pixels.

    Raises:
        InputError: the rule draws.
    """
    if rule.random:
        raise InputError("--protocol=centre: config.test_crop draws at random")
    return Protocol(lambda height, width: [rule(draws(0, 0, 0), height, width)], mirrored=False)


def ten_crops(
    rule: CropRule, size: int, *, shorter_side: int = 256, whole: bool = False
) -> Protocol:
    """The four corners and the centre of the central square, and their mirrors.

    Args:
        rule: not used.
        size: of a crop, pixels.
        shorter_side: of the resized image, pixels.
        whole: corners are those of the whole resized image, as in fb.resnet.torch.
    """
    _check_sides(size, (shorter_side,))

    def crops_of(height: int, width: int) -> list[Crop]:
        scaled = with_shorter_side(height, width, shorter_side)
        area = Box(0, 0, *scaled) if whole else _squares(*scaled)[1]
        image = Box(0, 0, height, width)
        return [Crop(image, scaled, box) for box in _five(area, size)]

    return Protocol(crops_of)


def crops_144(
    rule: CropRule, size: int, *, scales: int | tuple[int, ...] = (256, 288, 320, 352)
) -> Protocol:
    """At each scale of the left, central and right square six crops, and their mirrors.

    The squares of an upright image are the top, central and bottom one. The crops are the corners,
    the centre, and the square itself resized: from the original pixels, in one step.

    Args:
        rule: not used.
        size: of a crop, pixels.
        scales: shorter sides of the resized images, pixels.
    """
    sides = _check_sides(size, scales)

    def crops_of(height: int, width: int) -> list[Crop]:
        crops, image = [], Box(0, 0, height, width)
        for side in sides:
            scaled = with_shorter_side(height, width, side)
            for square, original in zip(_squares(*scaled), _squares(height, width), strict=True):
                crops += [Crop(image, scaled, box) for box in _five(square, size)]
                crops.append(Crop(original, (size, size), Box(0, 0, size, size)))
        return crops

    return Protocol(crops_of)


def grid(
    rule: CropRule,
    size: int,
    *,
    scales: int | tuple[int, ...] = (256, 384, 512),
    positions: int = 5,
) -> Protocol:
    """A regular grid of crops at each scale, from border to border, and their mirrors.

    Args:
        rule: not used.
        size: of a crop, pixels.
        scales: shorter sides of the resized images, pixels.
        positions: along a side.
    """
    sides = _check_sides(size, scales)
    if positions < 2:
        raise InputError(f"positions = {positions}: at least 2, the borders")

    def crops_of(height: int, width: int) -> list[Crop]:
        crops, image = [], Box(0, 0, height, width)
        for side in sides:
            scaled = with_shorter_side(height, width, side)
            rows, columns = (
                [round(i * (length - size) / (positions - 1)) for i in range(positions)]
                for length in scaled
            )
            windows = [Box(top, left, size, size) for top in rows for left in columns]
            crops += [Crop(image, scaled, window) for window in windows]
        return crops

    return Protocol(crops_of)


def dense(
    rule: CropRule, size: int, *, scales: int | tuple[int, ...] = (256,), multiple_of: int = 1
) -> Protocol:
    """The whole image at each scale, seen at every position, and its mirror.

    Args:
        rule: not used.
        size: of the network's images in training, pixels.
        scales: shorter sides Q of the resized images, pixels.
        multiple_of: both sides are resized to a multiple of it, the nearest. Each shape of images
            is compiled once: 1, as published, may mean hundreds; 32 about ten, and an aspect that
            is off by 6 % at most.
    """
    sides = _check_sides(size, scales)
    if multiple_of < 1:
        raise InputError(f"multiple_of = {multiple_of}: at least 1")

    def crops_of(height: int, width: int) -> list[Crop]:
        crops = []
        for side in sides:
            h, w = (
                max(1, round(length / multiple_of)) * multiple_of
                for length in with_shorter_side(height, width, side)
            )
            crops.append(Crop(Box(0, 0, height, width), (h, w), Box(0, 0, h, w)))
        return crops

    return Protocol(crops_of, dense=True)


PROTOCOLS: dict[str, Callable[..., Protocol]] = {
    "10_crop": ten_crops,
    "144_crop": crops_144,
    "centre": centre,
    "dense": dense,
    "grid": grid,
}


def protocol_of(name: str, arguments: Mapping[str, Any], rule: CropRule, size: int) -> Protocol:
    """Returns the protocol called `name`.

    Args:
        name: a key of `PROTOCOLS`.
        arguments: of its builder.
        rule: that of `config.test_crop`.
        size: of the network's images, pixels.

    Raises:
        InputError: there is no such protocol or argument, or a scale is too small.

    Example:
        >>> from cnn_jax.data.crops import ShorterSide
        >>> protocol = protocol_of("10_crop", {}, ShorterSide(), 224)
        >>> [tuple(crop.window)[:2] for crop in protocol.crops(256, 256)]
        [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    """
    if name not in PROTOCOLS:
        raise InputError(f"--protocol={name} is unknown{hint(name, PROTOCOLS)}")
    accepted = {
        key: Argument(_values(parameter.annotation), False, parameter.default)
        for key, parameter in inspect.signature(PROTOCOLS[name]).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    if problems := argument_problems("--set", name, arguments, accepted):
        raise InputError(problems)
    return PROTOCOLS[name](rule, size, **arguments)


def _values(annotation: str) -> Values:
    return values_of(ast.parse(annotation, mode="eval").body, lambda name: None)


def _five(area: Box, size: int) -> list[Box]:
    """The four corners and the centre of an area."""
    top, left, down, right = area.top, area.left, area.height - size, area.width - size
    offsets = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [Box(top + y, left + x, size, size) for y, x in offsets]


def _squares(height: int, width: int) -> list[Box]:
    """The first, central and last square along the longer side."""
    side = min(height, width)
    offsets = [(f * (height - side) // 2, f * (width - side) // 2) for f in (0, 1, 2)]
    return [Box(top, left, side, side) for top, left in offsets]


def _check_sides(size: int, sides: Any) -> tuple[int, ...]:
    sides = (sides,) if isinstance(sides, int) else tuple(sides)
    if not sides or not all(isinstance(side, int) and side >= size for side in sides):
        raise InputError(
            f"{', '.join(map(str, sides)) or 'no scale'}: the shorter side of an image must be at "
            f"least the {size} pixels that the network sees; --set=shorter_side=N or "
            "--set=scales=(N,)"
        )
    return sides
