"""What the maps of a layer say of an image, the strongest first."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_jax.seeing.shades import from_black, signed
from cnn_jax.seeing.sheet import Panel, Sheet, in_rows


def strongest(maps: np.ndarray, count: int) -> list[int]:
    """Returns the numbers of the maps with the largest values, the largest first.

    Args:
        maps: (H, W, C).
        count: how many; all, where there are fewer.
    """
    return np.argsort(-maps.max((0, 1)), kind="stable")[:count].tolist()


def map_sheet(
    image: np.ndarray, maps: np.ndarray, count: int, title: str
) -> tuple[Sheet, dict[str, Any]]:
    """Returns the sheet of the maps of one layer, and its numbers.

    Args:
        image: uint8 (H, W, C), which the first panel shows.
        maps: (h, w, channels) of the layer.
        count: maps to show.
        title: of network, layer and image.

    Returns:
        The sheet; per map its largest and mean value, and the share of positions above zero.
    """
    chosen = strongest(maps, count)
    both_signs = bool((maps < 0).any())
    shade = signed if both_signs else from_black
    panels = [Panel(image, "image")]
    panels += [Panel(shade(maps[..., i]), f"{i}: {maps[..., i].max():.3g}") for i in chosen]
    height, width, channels = maps.shape
    silent = int((maps.max((0, 1)) <= 0).sum())
    scale = "grey is zero" if both_signs else "black is zero, white its largest value"
    notes = [
        f"{len(chosen)} of {channels} maps of {height} x {width}, the strongest first; each on its "
        f"own scale, {scale}; below each stand its number and its largest value.",
        f"{silent} of {channels} maps are nowhere above zero on this image.",
    ]
    numbers = [
        {
            "map": i,
            "largest": float(maps[..., i].max()),
            "mean": float(maps[..., i].mean()),
            "above_zero": float((maps[..., i] > 0).mean()),
        }
        for i in strongest(maps, channels)
    ]
    side = 96 if max(height, width) < 100 else 128
    sheet = Sheet(title, in_rows(panels, columns=9), notes, side=side)
    return sheet, {"silent": silent, "maps": numbers}
