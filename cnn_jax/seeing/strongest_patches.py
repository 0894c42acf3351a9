"""The patches of a data set that excite a map most, and what in them does.

M. Zeiler, R. Fergus (2014), Visualizing and Understanding Convolutional Networks, ECCV,
arXiv:1311.2901, section 3 and Figure 2: for each map its nine largest activations, one an image,
each sent back alone through unpooling, rectification and the transposed filters, and beside it the
patch of the image that the unit sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.records import Request
from cnn_jax.models.receptive_field import Box, Field
from cnn_jax.seeing.shades import GREY
from cnn_jax.seeing.subject import MAPS, Subject, as_pixels

NINE: Final = 9


class Excited(NamedTuple):
    """A unit that an image excites.

    Attributes:
        map: number of its map.
        example: number of the image in its split.
        row: of the unit.
        column: of the unit.
        value: what it says.
    """

    map: int
    example: int
    row: int
    column: int
    value: float


def strongest_units(
    subject: Subject,
    layer: str,
    batches: Iterator[Mapping[str, np.ndarray]],
    report: Callable[[int], None] = lambda done: None,
    count: int = NINE,
) -> list[list[Excited]]:
    """Returns for every map the units that say most, one an image, the strongest first.

    Args:
        subject: the network.
        layer: its name.
        batches: `image` and `weight` of the examples, in their order, of one size; those of weight
            0 are left out.
        report: is told how many examples are done.
        count: of units for a map.
    """

    @jax.jit
    def largest(variables: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        said = as_maps(subject.listen(images, [layer], variables)[1][layer].after)
        flat = said.reshape(said.shape[0], -1, said.shape[-1]).astype(jnp.float32)
        return flat.max(1), flat.argmax(1)

    channels = subject.channels(layer)
    best = np.full((count, channels), -np.inf, np.float32)
    example, place = (np.zeros((count, channels), np.int64) for _ in range(2))
    first = 0
    for batch in batches:
        values, places = map(np.asarray, largest(subject.variables, as_pixels(batch["image"])))
        values = np.where(batch["weight"][:, None] > 0, values, -np.inf)
        numbers = np.broadcast_to(first + np.arange(len(values))[:, None], values.shape)
        known = np.concatenate([best, values])
        order = np.argsort(-known, axis=0, kind="stable")[:count]  # among equals the first image
        best = np.take_along_axis(known, order, 0)
        example = np.take_along_axis(np.concatenate([example, numbers]), order, 0)
        place = np.take_along_axis(np.concatenate([place, places]), order, 0)
        first += len(values)
        report(first)
    shape = subject.sounds[layer].after.shape
    width = shape[2] if len(shape) == MAPS else 1
    return [
        [
            Excited(number, int(example[i, number]), *divmod(int(place[i, number]), width), value)
            for i in range(count)
            if np.isfinite(value := float(best[i, number]))
        ]
        for number in range(channels)
    ]


def as_maps(values: jax.Array) -> jax.Array:
    """Returns (B, C) as maps of one position; maps as they are."""
    return values if values.ndim == MAPS else values[:, None, None, :]


class Sender:
    """Sends single units back to the image.

    Args:
        subject: the network.
        layer: its name.
        rule: by which signals go back.
        bypass_lrn: whether they go around local response normalisation.
    """

    def __init__(self, subject: Subject, layer: str, rule: str, bypass_lrn: bool):
        self._variables = subject.variables

        @jax.jit
        def send(variables: Any, image: jax.Array, unit: jax.Array) -> tuple[jax.Array, jax.Array]:
            heard = subject.hear(image, [layer], rule, bypass_lrn, variables)
            said = heard.sounds[layer].after
            maps = as_maps(said)
            value = maps[0, unit[0], unit[1], unit[2]]
            alone = jnp.zeros_like(maps).at[0, unit[0], unit[1], unit[2]].set(value)
            return value, heard.back(after={layer: alone.reshape(said.shape)}).images[0]

        self._send = send

    def __call__(self, image: np.ndarray, unit: Excited) -> tuple[float, np.ndarray]:
        """Returns what the unit says of the image now, and what goes back, (H, W, C).

        Args:
            image: uint8 (H, W, C).
            unit: of the layer; its value is sent, all others are silent.
        """
        place = jnp.array([unit.row, unit.column, unit.map])
        value, signal = self._send(self._variables, as_pixels(image)[None], place)
        return float(value), np.asarray(signal, np.float32)


def box_of(field: Field | None, unit: Excited, image: Sequence[int]) -> Box:
    """Returns the pixels that a unit sees; the whole image, where they are no fewer."""
    whole = Box(0, 0, image[0], image[1])
    if field is None or field.size[0] >= image[0] or field.size[1] >= image[1]:
        return whole
    return field.box(unit.row, unit.column)


def cropped(image: np.ndarray, box: Box) -> np.ndarray:
    """Returns a part of a picture; grey, where it reaches beyond the image.

    Args:
        image: uint8 (H, W, C).
        box: of its pixels.
    """
    height, width, channels = image.shape
    part = np.full((box.bottom - box.top, box.right - box.left, channels), GREY, np.uint8)
    top, left = max(box.top, 0), max(box.left, 0)
    inside = image[top : min(box.bottom, height), left : min(box.right, width)]
    part[top - box.top :, left - box.left :][: inside.shape[0], : inside.shape[1]] = inside
    return part


def images_of(split: AnySplit, examples: Sequence[int]) -> dict[int, tuple[np.ndarray, int]]:
    """Returns image and label of some examples, as an evaluation sees them."""
    wanted = sorted(set(examples))
    requests = (Request(np.array([example])) for example in wanted)
    batches = split.batches(requests)
    return {
        example: (batch.images[0], int(batch.labels[0]))
        for example, batch in zip(wanted, batches, strict=True)
    }
