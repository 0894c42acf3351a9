"""From a uint8 image to what the network sees: one record, kept with the weights.

The record is written into every checkpoint; evaluation and prediction read it from there, so that
weights never meet another preprocessing than the one that they were trained with.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.interpolation import DEFAULT
from cnn_jax.data.moments import moments_of

# Mean and standard deviation of every channel, on the scale [0, 1].
FIXED: Final = {
    "unit": (0.0, 1.0),
    "lecun_1998": (0.1 / 1.275, 1 / 1.275),
    "centred": (0.5, 1.0),
    "signed": (0.5, 0.5),
}
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes an input: (x / 255 - mean) / std, channel by channel.

    Attributes:
        height: pixels.
        width: pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: filter by which a file is brought to this size, see `interpolation`.
        mean: per channel, on the scale [0, 1].
        std: per channel, on the scale [0, 1].
        class_names: one name for each output of the network.
        mean_image: a mean for each pixel in place of `mean`, on the scale [0, 1]: float32
            (height, width, channels), little-endian, in base64; empty where there is none.
    """

    height: int
    width: int
    channels: int
    resize: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    mean_image: str = ""

    @property
    def centre(self) -> np.ndarray:
        """What is subtracted, on the scale [0, 1]: (C,) or (H, W, C)."""
        if not self.mean_image:
            return np.asarray(self.mean)
        flat = np.frombuffer(base64.b64decode(self.mean_image), "<f4")
        return flat.reshape(self.height, self.width, self.channels)

    def __call__(self, images: jax.Array, dtype: Any = jnp.float32) -> jax.Array:
        """Returns uint8 or [0, 255] float images (B, H, W, C) normalised, in `dtype`.

        Raises:
            InputError: there is a mean image, and it is of another size.
        """
        wide = jnp.promote_types(dtype, jnp.float32)
        if self.mean_image and images.shape[1:3] != (self.height, self.width):
            raise InputError(
                f"images of {images.shape[1]} x {images.shape[2]} pixels: the network subtracts a "
                f"mean image of {self.height} x {self.width}, and can see no other size"
            )
        scaled = images.astype(wide) / 255
        normal = (scaled - jnp.asarray(self.centre, wide)) / jnp.asarray(self.std, wide)
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


def preprocessing_for(dataset: Dataset, normalisation: str, resize: str = DEFAULT) -> Preprocessing:
    """Returns the record of a dataset under `config.data.normalisation`.

    What is computed from the train split is taken over 4,096 images evenly spread, cropped as in
    testing, where it is read from files.

    Args:
        dataset: its train split gives mean and deviation.
        normalisation: on the scale [0, 1], in which x is a pixel:
          `unit`: x.
          `standardise`: zero mean and unit deviation over the train split, channel by channel.
          `lecun_1998`: background -0.1, foreground 1.175 (LeCun et al. 1998, section III.A: mean
          near 0 and variance near 1).
          `centred`: x - 1/2 (Karpathy 2014, ConvNetJS).
          `signed`: 2 x - 1 (Szegedy et al. 2015, Inception, as TensorFlow ships it).
          `channel_mean`: 255 x - mean of each channel (Simonyan & Zisserman 2015, section 2.1).
          `mean_image`: 255 x - mean of each pixel (Krizhevsky et al. 2012, section 2).
          `imagenet`: ImageNet's mean and deviation (Gross & Wilber 2016, fb.resnet.torch,
          datasets/imagenet.lua).

        resize: `config.data.resize`.

    Raises:
        InputError: `imagenet`, and the images are not RGB.
    """
    height, width, channels = dataset.image_shape
    mean_image = ""
    if normalisation in FIXED:
        mean, std = ([value] * channels for value in FIXED[normalisation])
    elif normalisation == "imagenet":
        if channels != 3:
            raise InputError("config.data.normalisation = 'imagenet': the images are not RGB")
        mean, std = list(IMAGENET_MEAN), list(IMAGENET_STD)
    elif normalisation == "standardise":
        mean, std = _standard(dataset)
    else:
        moments = moments_of(dataset.train)
        mean, std = [float(value) for value in moments.mean], [1 / 255] * channels
        if normalisation == "mean_image":
            mean_image = base64.b64encode(moments.mean_image.astype("<f4").tobytes()).decode()
    return Preprocessing(
        height,
        width,
        channels,
        resize,
        tuple(mean),
        tuple(std),
        dataset.class_names,
        mean_image,
    )


def _standard(dataset: Dataset) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel."""
    if dataset.train.resident:
        pixels = dataset.train.images.reshape(-1, dataset.image_shape[2]).astype(np.float64) / 255
        mean, std = pixels.mean(0), pixels.std(0)
    else:
        moments = moments_of(dataset.train)
        mean, std = moments.mean, moments.std
    return [float(value) for value in mean], [float(value) or 1.0 for value in std]
