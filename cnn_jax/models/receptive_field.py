"""What a unit sees of the image: the exact interval of pixels, along both directions.

Source: A. Araujo, W. Norris, J. Sim (2019), Computing Receptive Fields of Convolutional Neural
Networks, Distill, https://distill.pub/2019/computing-receptive-fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cnn_jax.layers.window import Pair


class Box(NamedTuple):
    """Pixels [top, bottom) x [left, right); it may reach beyond the image, on any side."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Field:
    """The receptive fields of the units of a map.

    The unit in row i sees the `size` rows from start + i * stride on; so do the columns. Pixels
    beyond the image are padding.

    Attributes:
        size: (height, width), pixels.
        stride: (vertical, horizontal) distance of the fields of neighbouring units, pixels.
        start: (row, column) of the first pixel that the first unit sees; negative: in the padding.
    """

    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    start: Pair = (0, 0)

    def through(self, window: Pair, strides: Pair, low: Pair) -> Field:
        """Returns the field behind one more window.

        Args:
            window: (height, width), units of this map.
            strides: of the window.
            low: units of padding above and left of this map.
        """
        axes = range(2)
        size = tuple(self.size[a] + (window[a] - 1) * self.stride[a] for a in axes)
        stride = tuple(self.stride[a] * strides[a] for a in axes)
        start = tuple(self.start[a] - low[a] * self.stride[a] for a in axes)
        return Field((size[0], size[1]), (stride[0], stride[1]), (start[0], start[1]))

    def box(self, row: int, column: int) -> Box:
        """Returns the pixels that the unit in this row and column sees."""
        top = self.start[0] + row * self.stride[0]
        left = self.start[1] + column * self.stride[1]
        return Box(top, left, top + self.size[0], left + self.size[1])


def union(fields: Sequence[Field | None]) -> Field | None:
    """Returns the field of what is made of several maps, unit by unit; None if one is not known.

    Args:
        fields: of maps of one size, hence of one stride.
    """
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    axes = range(2)
    low = [min(field.start[a] for field in known) for a in axes]
    high = [max(field.start[a] + field.size[a] for field in known) for a in axes]
    size = (high[0] - low[0], high[1] - low[1])
    return Field(size, known[0].stride, (low[0], low[1]))
