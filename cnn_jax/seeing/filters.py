"""The filters of the first layer, which alone are pictures of what they look for.

A. Krizhevsky et al. (2012), ImageNet Classification with Deep Convolutional Neural Networks, Figure
3; M. Zeiler, R. Fergus (2014), arXiv:1311.2901, Figure 6: filters that are dead, or all of one
frequency, show that stride, size or rate are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.models.layer_table import Row
from cnn_jax.seeing.shades import signed
from cnn_jax.seeing.sheet import Panel, Sheet, in_rows
from cnn_jax.seeing.subject import Subject

# Of all filters' median norm: one that has less than this has learned nothing, or has forgotten it.
FLAT = 0.1
AXES = 4  # of the filters of a convolution


def first_layer(subject: Subject) -> Row:
    """Returns the layer that sees the image."""
    kinds = ("conv", "dense", "local")
    return next(row for row in subject.rows.values() if row.kind in kinds)


def filters_of(subject: Subject) -> np.ndarray:
    """Returns the filters of the first layer, float (filters, height, width, channels).

    Those of a fully connected layer are as large as the image; of a layer without weight sharing
    those of the middle position are taken.

    Raises:
        InputError: the first layer's weights are no filters.
    """
    row = first_layer(subject)
    leaves: Any = subject.variables["params"]
    for part in row.name.split("/"):
        leaves = leaves[part]
    kernel = np.asarray(leaves["kernel"], np.float32)
    channels = subject.image_shape[2]
    if row.kind == "dense":
        return np.moveaxis(kernel.reshape(*subject.image_shape, -1), -1, 0)
    if row.kind == "local":
        return np.moveaxis(kernel[kernel.shape[0] // 2, kernel.shape[1] // 2], -1, 0)
    if kernel.ndim != AXES or kernel.shape[2] != channels:
        raise InputError(f"{row.name}: weights of shape {kernel.shape} are no filters of the image")
    return np.moveaxis(kernel, -1, 0)


def filter_numbers(filters: np.ndarray) -> list[dict[str, float]]:
    """Returns norm, mean and largest modulus of each filter."""
    flat = filters.reshape(len(filters), -1)
    norms, means = np.linalg.norm(flat, axis=1), flat.mean(1)
    largest = np.abs(flat).max(1)
    return [
        {
            "filter": i,
            "norm": float(norms[i]),
            "mean": float(means[i]),
            "largest": float(largest[i]),
        }
        for i in range(len(filters))
    ]


def filter_sheet(
    filters: np.ndarray, layer: str, title: str, one_scale: bool = False
) -> tuple[Sheet, Mapping[str, Any]]:
    """Returns the sheet of filters, and its numbers.

    Args:
        filters: (filters, height, width, channels); of three channels they are shown in colours,
            of one in grey, of others channel by channel.
        layer: its name.
        title: of the network.
        one_scale: whether all filters share their scale; otherwise each goes from black to white.

    Returns:
        The sheet; per filter its norm, mean and largest modulus.
    """
    numbers = filter_numbers(filters)
    norms = np.array([one["norm"] for one in numbers])
    flat = int((norms < FLAT * np.median(norms)).sum())
    top = float(np.abs(filters).max(initial=0)) if one_scale else None
    panels = []
    for i, one in enumerate(filters):
        shades = signed(one, top)
        parts = [shades] if one.shape[-1] in (1, 3) else list(np.moveaxis(shades, -1, 0))
        for channel, part in enumerate(parts):
            name = str(i) if len(parts) == 1 else f"{i}, channel {channel}"
            panels.append(Panel(part, f"{name}: {numbers[i]['norm']:.3g}"))
    count, height, width, channels = filters.shape
    scale = "one scale for all" if one_scale else "each filter on its own scale"
    notes = [
        f"{count} filters of {height} x {width}, {channels} "
        f"channel{'' if channels == 1 else 's'}: grey is zero, {scale}; below each stand its "
        "number and its norm.",
        f"{flat} of {count} have a norm below a tenth of the median.",
    ]
    side = 64 if height <= 16 else 96
    sheet = Sheet(f"{title}: filters of {layer}", in_rows(panels), notes, side=side)
    return sheet, {"layer": layer, "filters": numbers, "below_a_tenth_of_the_median_norm": flat}
