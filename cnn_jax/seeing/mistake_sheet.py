"""The most confident mistakes as pictures, each with what it is and what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_jax.seeing.confusion import Mistake
from cnn_jax.seeing.sheet import Panel, Sheet, in_rows

COLUMNS = 6


def caption(mistake: Mistake, class_names: Sequence[str]) -> str:
    """Returns what it is, what it was taken for, both probabilities, and the example's number."""
    return (
        f"{class_names[mistake.label]} taken for {class_names[mistake.answer]}\n"
        f"{100 * mistake.probability:.1f} % against {100 * mistake.of_label:.1f} %\n"
        f"number {mistake.example}"
    )


def mistake_sheet(
    images: Sequence[np.ndarray],
    mistakes: Sequence[Mistake],
    class_names: Sequence[str],
    title: str,
) -> Sheet:
    """Returns the sheet of mistakes, the surest first.

    Args:
        images: uint8 (H, W, C), as the network saw them.
        mistakes: of `confident_mistakes`.
        class_names: one a class.
        title: of the network and the split.
    """
    panels = [
        Panel(image, caption(mistake, class_names))
        for image, mistake in zip(images, mistakes, strict=True)
    ]
    notes = (
        "Below each: its class and what it was taken for, the probability of the latter and of the "
        "former, and its number in the split. A wrong label is found here first.",
    )
    return Sheet(title, in_rows(panels, COLUMNS), notes, side=170)
