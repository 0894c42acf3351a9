"""Queries and their nearest neighbours in what a layer says, as a sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_jax.seeing.sheet import Panel, Sheet


def neighbour_sheet(
    images: np.ndarray,
    labels: np.ndarray,
    numbers: np.ndarray,
    class_names: Sequence[str],
    queries: Sequence[int],
    order: np.ndarray,
    distances: np.ndarray,
    title: str,
    how: str,
) -> Sheet:
    """Returns a sheet with a row for each query: itself, then its neighbours, nearest first.

    Args:
        images: uint8 (N, H, W, C).
        labels: int (N,).
        numbers: of the images in their split, int (N,).
        class_names: one a class.
        queries: places among the images.
        order: places of the neighbours, (Q, K), of `embedding.nearest`.
        distances: (Q, K).
        title: of the network and the split.
        how: of which layer, in words.
    """
    rows = []
    for query, near, far in zip(queries, order, distances, strict=True):
        row = [Panel(images[query], f"{class_names[labels[query]]}\nnumber {numbers[query]}")]
        for place, distance in zip(near, far, strict=True):
            other = "" if labels[place] == labels[query] else " (other)"
            text = f"{class_names[labels[place]]}{other}\n{distance:.3g}"
            row.append(Panel(images[place], text))
        rows.append(row)
    notes = (
        f"Left a query, then the images nearest to it in {how}; below each its class and its "
        "Euclidean distance. (other): of another class than the query.",
    )
    columns = ["query", *(f"nearest {i + 1}" for i in range(order.shape[1]))]
    return Sheet(title, rows, notes, columns=columns, side=88)
