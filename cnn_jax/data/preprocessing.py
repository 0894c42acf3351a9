"""From a uint8 image to what the network sees: one record, kept with the weights.

The record is written into every checkpoint; evaluation and prediction read it from there, so that
weights never meet another preprocessing than the one that they were trained with.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.data.dataset import AnySplit, Dataset, Split
from cnn_jax.data.records import Request

SAMPLE, SAMPLE_AT_ONCE = 4096, 256


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes an input: (x / 255 - mean) / std, channel by channel.

    Attributes:
        height: pixels.
        width: pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: interpolation by which a file is brought to this size.
        mean: per channel, on the scale [0, 1].
        std: per channel, on the scale [0, 1].
        class_names: one name for each output of the network.
    """

    height: int
    width: int
    channels: int
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]

    def __call__(self, images: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
        """Returns uint8 or [0, 255] float images (B, H, W, C) normalised, in `dtype`."""
        wide = jnp.promote_types(dtype, jnp.float32)
        scaled = images.astype(wide) / 255
        normal = (scaled - jnp.asarray(self.mean, wide)) / jnp.asarray(self.std, wide)
        return normal.astype(dtype)

    def to_tree(self) -> dict[str, Any]:
        """Returns the record as JSON would hold it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> Preprocessing:
        """Returns the record that `to_tree` wrote."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()
        }
        return cls(**values)


def preprocessing_for(dataset: Dataset, normalisation: str) -> Preprocessing:
    """Returns the record of a dataset under `config.data.normalisation`.

    Args:
        dataset: its train split gives mean and deviation.
        normalisation: `unit`: x / 255. `standardise`: zero mean and unit deviation over the train
          split, channel by channel; over 4,096 images evenly spread, where it is read from files.
          `lecun_1998`: background -0.1, foreground 1.175 (LeCun et al.
          1998, section III.A: mean near 0 and variance near 1).
    """
    height, width, channels = dataset.image_shape
    mean, std = [0.0] * channels, [1.0] * channels
    if normalisation == "standardise":
        pixels = _some_images(dataset.train).reshape(-1, channels).astype(np.float64) / 255
        mean = [float(value) for value in pixels.mean(0)]
        std = [float(value) or 1.0 for value in pixels.std(0)]
    elif normalisation == "lecun_1998":
        mean, std = [0.1 / 1.275] * channels, [1 / 1.275] * channels
    return Preprocessing(
        height, width, channels, "bilinear", tuple(mean), tuple(std), dataset.class_names
    )


def _some_images(train: AnySplit) -> np.ndarray:
    """The images of a split in memory, or a fixed sample of one in files, cropped as in testing."""
    if isinstance(train, Split):
        return train.images
    count = min(len(train), SAMPLE)
    ids = np.arange(count) * len(train) // count
    parts = np.split(ids, range(SAMPLE_AT_ONCE, count, SAMPLE_AT_ONCE))
    batches = train.batches(Request(part) for part in parts)
    return np.concatenate([batch.images[batch.readable] for batch in batches])
