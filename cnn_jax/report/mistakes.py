"""The most confident mistakes as pictures, each with what it is and what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnn_jax.inference.restored import Restored
from cnn_jax.inference.split_examples import examples_of
from cnn_jax.report.thumbnails import draw_captioned
from cnn_jax.seeing.confusion import Mistake


def pictured(
    restored: Restored, split_name: str, mistakes: Sequence[Mistake], force: bool = False
) -> list[np.ndarray]:
    """Returns the image of each mistake, uint8 (H, W, C), as the network saw it.

    Args:
        restored: the network that made them.
        split_name: in which.
        mistakes: of `confident_mistakes`: they were readable.
        force: whether data that differs from that of training is accepted.
    """
    numbers = [mistake.example for mistake in mistakes]
    return list(examples_of(restored, split_name, numbers=numbers, force=force).images)


def caption(mistake: Mistake, class_names: Sequence[str]) -> str:
    """Returns `is 4, taken for 9` with the probabilities of both, and the example's number."""
    return (
        f"{class_names[mistake.label]} taken for {class_names[mistake.answer]}\n"
        f"{100 * mistake.probability:.1f} % against {100 * mistake.of_label:.1f} %\n"
        f"number {mistake.example}"
    )


def draw_mistakes(
    images: Sequence[np.ndarray],
    mistakes: Sequence[Mistake],
    class_names: Sequence[str],
    title: str,
    path: Path,
    config_hash: str = "",
) -> None:
    """Draws mistakes, the surest first, as PNG and PDF; arguments as of `draw_captioned`."""
    captions = [caption(mistake, class_names) for mistake in mistakes]
    draw_captioned(images, captions, title, path, config_hash)
