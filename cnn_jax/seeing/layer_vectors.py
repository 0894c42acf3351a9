"""What a layer says of many images, a vector each: for embeddings, neighbours, retrieval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from cnn_jax.seeing.subject import Subject, as_pixels

LONGEST: Final = 10_000  # numbers; of longer ones the maps are averaged over their positions
AT_ONCE: Final = 64


def last_hidden_layer(subject: Subject) -> str:
    """Returns the layer before the logits: what the last, linear one sees."""
    names = [name for name in subject.sounds if not name.startswith("aux")]
    return names[-2] if len(names) > 1 else names[-1]


def layer_vectors(
    subject: Subject,
    layer: str,
    images: np.ndarray,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[np.ndarray, str]:
    """Returns what a layer says of images, behind its nonlinearity, and how, in words.

    Args:
        subject: the network.
        layer: its name.
        images: uint8 (N, H, W, C).
        report: is told how many images of all are done.

    Returns:
        float32 (N, F), and `layer F6, 84 numbers`.
    """
    subject.check_layer(layer, maps=False)
    shape = subject.sounds[layer].after.shape[1:]
    averaged = len(shape) == 3 and int(np.prod(shape)) > LONGEST

    @jax.jit
    def say(variables: Any, pixels: jax.Array) -> jax.Array:
        said = subject.listen(pixels, [layer], variables)[1][layer].after
        said = said.mean((1, 2)) if averaged else said.reshape(len(said), -1)
        return said.astype("float32")

    parts = []
    for first in range(0, len(images), AT_ONCE):
        few = images[first : first + AT_ONCE]
        whole = np.concatenate([few, np.zeros((AT_ONCE - len(few), *few.shape[1:]), few.dtype)])
        parts.append(np.asarray(say(subject.variables, as_pixels(whole)))[: len(few)])
        report(min(first + AT_ONCE, len(images)), len(images))
    vectors = np.concatenate(parts)
    how = f"layer {layer}, {vectors.shape[1]:,} numbers"
    return vectors, f"{how}: means over the positions of its maps" if averaged else how
