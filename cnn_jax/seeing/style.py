"""Style transfer: an image with the content of one and the style of another.

L. Gatys, A. Ecker, M. Bethge (2016), Image style transfer using convolutional neural networks,
CVPR, equations 1 to 7; and what they released, github.com/leongatys/PytorchNeuralStyleTransfer,
which differs in nearly every constant:

|                  | `paper`                        | `released`                           |
|------------------|--------------------------------|--------------------------------------|
| content          | conv4_2, before the rectifier  | conv4_2, after it                    |
| style            | conv1_1 to conv5_1, before     | conv1_1 to conv5_1, after            |
| content loss     | half the sum of squares        | mean of squares                      |
| style loss       | |G - A|^2 / (4 N^2 M^2), G = F F' | 1e3 / C^2 times the mean, G = F F' / M |
| pooling          | averages                       | maxima                               |
| begins from      | noise                          | the content image                    |

N or C is the number of maps, M of their positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.models.listening import Sound
from cnn_jax.seeing.lbfgs import Report, minimise

Form = Literal["paper", "released"]
Sounds = Callable[[jax.Array], Mapping[str, Sound]]  # pixels (1, H, W, C) -> layers
VGG_CONTENT: Final = ("conv4_2",)
VGG_STYLE: Final = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
PAPER_CONTENT: Final = 1e-3  # alpha / beta of Figure 3, C
RELEASED_STYLE: Final = 1e3  # divided by the square of the number of maps
NOISE: Final = 40.0  # deviation of the start of `paper`, pixels


@dataclass(frozen=True)
class Task:
    """What an image is to have.

    Attributes:
        form: `paper` or `released`.
        content: layers.
        style: layers.
        content_weight: of the content loss; that of the style loss is 1.
    """

    form: Form = "released"
    content: Sequence[str] = VGG_CONTENT
    style: Sequence[str] = VGG_STYLE
    content_weight: float = 1.0

    @property
    def average_pooling(self) -> bool:
        """Whether averages stand in for maxima."""
        return self.form == "paper"

    def heard(self, sounds: Mapping[str, Sound], name: str) -> jax.Array:
        """Returns (B, H, W, C) of a layer, on the side of its nonlinearity that the form takes."""
        maps: jax.Array = sounds[name].before if self.form == "paper" else sounds[name].after
        return maps if maps.ndim == 4 else maps.reshape(len(maps), 1, 1, -1)


def gram(maps: jax.Array) -> jax.Array:
    """Returns the inner products of maps over their positions, (C, C), of (1, H, W, C).

    Where something lies in the image does not matter to it.
    """
    flat = maps.reshape(-1, maps.shape[-1])
    return flat.T @ flat


def style_loss(maps: jax.Array, wanted: jax.Array, wanted_positions: int, form: Form) -> jax.Array:
    """Returns how far the style of a layer is from the wanted one.

    Args:
        maps: (1, H, W, C) of the image.
        wanted: Gram matrix of the style image, (C, C).
        wanted_positions: of the maps that it is of.
        form: `paper` or `released`.
    """
    positions, channels = maps.shape[1] * maps.shape[2], maps.shape[-1]
    if form == "released":
        apart = gram(maps) / positions - wanted / wanted_positions
        return RELEASED_STYLE / channels**2 * (apart**2).mean()
    # The paper's images are of one size; of another, the style is that of equally many positions.
    apart = gram(maps) - wanted * (positions / wanted_positions)
    return (apart**2).sum() / (4 * channels**2 * positions**2)


def loss_of(
    task: Task, sounds: Sounds, content: np.ndarray, style: np.ndarray
) -> Callable[[jax.Array], jax.Array]:
    """Returns what is minimised: pixels (H, W, C) -> scalar.

    Args:
        task: form, layers and weights.
        sounds: of its layers.
        content: (H, W, C), [0, 255].
        style: (h, w, C), [0, 255].
    """
    of_content, of_style = (
        sounds(jnp.asarray(image[None], jnp.float32)) for image in (content, style)
    )
    kept = {name: task.heard(of_content, name) for name in task.content}
    grams = {name: gram(task.heard(of_style, name)) for name in task.style}
    positions = {name: int(np.prod(task.heard(of_style, name).shape[1:3])) for name in task.style}

    def loss(pixels: jax.Array) -> jax.Array:
        here = sounds(pixels[None])
        total = jnp.zeros(())
        for name, wanted in kept.items():
            squares = (task.heard(here, name) - wanted) ** 2
            apart = squares.mean() if task.form == "released" else squares.sum() / 2
            total += task.content_weight * apart
        weight = 1.0 if task.form == "released" else 1 / len(task.style)
        for name, wanted in grams.items():
            maps = task.heard(here, name)
            total += weight * style_loss(maps, wanted, positions[name], task.form)
        return total

    return loss


def transfer(
    task: Task,
    sounds: Sounds,
    content: np.ndarray,
    style: np.ndarray,
    iterations: int = 500,
    start: np.ndarray | None = None,
    seed: int = 0,
    report: Report = lambda done, of: None,
) -> tuple[np.ndarray, list[float]]:
    """Returns an image with the content of one and the style of another, and the losses.

    Args:
        task: form, layers and weights.
        sounds: of its layers.
        content: (H, W, C), [0, 255].
        style: (h, w, C), [0, 255].
        iterations: of L-BFGS, at most.
        start: (H, W, C); None: as the form has it.
        seed: of the noise.
        report: is told how many iterations of all are done.
    """
    if start is None and task.form == "paper":
        noise = NOISE * np.random.default_rng(seed).standard_normal(content.shape)
        start = np.clip(128 + noise, 0, 255)
    loss = loss_of(task, sounds, content, style)
    begin = content if start is None else start
    return minimise(loss, begin, iterations, (0.0, 255.0), report)
