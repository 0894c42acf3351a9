"""How arrays lie in memory here, in PyTorch and in Keras.

Filters are (H, W, I, O) here and in Keras, and (O, I, H, W) in PyTorch; fully connected layers
(I, O) here and in Keras, and (O, I) in PyTorch. The first one after a map reads it in (H, W, C)
order here and in Keras, and in (C, H, W) order in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from cnn_jax.models.layer_table import Row

Size = tuple[int, int, int]


def flattened_maps(rows: Sequence[Row]) -> dict[str, Size]:
    """Returns the map (H, W, C) that a fully connected layer reads flattened, by layer."""
    sizes: dict[str, Size] = {}
    last: tuple[int, ...] = ()
    for row in rows:
        if row.kind == "dense" and len(last) == 3:
            height, width, channels = last
            sizes[row.name] = (height, width, channels)
        # Dropout does not say whether it stands before or after the flattening.
        if row.kind != "dropout":
            last = row.output
    return sizes


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape that a leaf of ours has in PyTorch."""
    if len(shape) == 4:
        height, width, inputs, outputs = shape
        return outputs, inputs, height, width
    return shape[::-1]


def reordered(array: np.ndarray, map_size: Size | None) -> np.ndarray:
    """Returns an array of PyTorch in our layout.

    Args:
        array: filters, a matrix, or a vector.
        map_size: (H, W, C) of the map whose pixels a matrix reads; None for all else.
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if array.ndim == 2 and map_size is not None:
        height, width, channels = map_size
        maps = array.reshape(-1, channels, height, width)
        return maps.transpose(2, 3, 1, 0).reshape(prod(map_size), -1)
    return array.T


def torch_order(array: np.ndarray, map_size: Size | None) -> np.ndarray:
    """Returns an array of ours in the layout of PyTorch: the inverse of `reordered`."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if array.ndim == 2 and map_size is not None:
        maps = array.reshape(*map_size, -1)
        return maps.transpose(3, 2, 0, 1).reshape(-1, prod(map_size))
    return array.T
