"""Procedural images that a network can learn, of any size, length and number of classes.

An image is a coloured grating under noise. The class sets its orientation, spatial frequency and
the balance of its channels; phase, contrast and noise belong to the example. Example i is a pure
function of (seed, i): nothing is stored, and the first n examples do not depend on how many there
are.
"""

from __future__ import annotations

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Classes, Pixels
from cnn_jax.data.dataset import Dataset, Split

TEST_OFFSET = 1 << 40  # test examples are numbered from here, so that no split shares an example
ORIENTATIONS = 10


def synthetic(
    *,
    train: int = 2048,
    test: int = 512,
    size: Pixels = 32,
    channels: int = 3,
    classes: Classes = 10,
    noise: float = 0.3,
    seed: int = 0,
) -> Dataset:
    """Returns procedural images, drawn from a seed: for tests and timings.

    Args:
        train: examples to train on.
        test: examples to test on.
        size: height and width, pixels.
        channels: channels of an image.
        classes: number of classes.
        noise: standard deviation of the noise, as a fraction of full scale.
        seed: another seed, another set of examples.

    Raises:
        InputError: a count is not positive, or the noise is negative.
    """
    counts = {"train": train, "test": test, "size": size, "channels": channels, "classes": classes}
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"config.data.kwargs.{name} = {value}: must be at least 1")
    if noise < 0:
        raise InputError(f"config.data.kwargs.noise = {noise}: must be at least 0")

    def split(first: int, length: int) -> Split:
        made = [example(seed, first + i, size, channels, classes, noise) for i in range(length)]
        return Split(
            np.stack([image for image, _ in made]),
            np.array([label for _, label in made], dtype=np.int32),
        )

    train_split = split(0, train)
    return Dataset(
        train=train_split,
        validation=train_split.take(np.arange(0)),
        test=split(TEST_OFFSET, test),
        class_names=tuple(f"grating_{label:04d}" for label in range(classes)),
    )


def example(
    seed: int, index: int, size: int, channels: int, classes: int, noise: float
) -> tuple[np.ndarray, int]:
    """Returns example `index`: a uint8 image (size, size, channels) and its label."""
    # Raw Philox output is stable between numpy versions; Generator's distributions are not.
    bits = np.random.Philox(key=np.array([seed, index], dtype=np.uint64))
    draws = _uniform(bits, 3)
    label = int(draws[0] * classes)
    angle = np.pi * (label % ORIENTATIONS) / min(classes, ORIENTATIONS)
    octave = label // ORIENTATIONS
    cycles = 3.0 + 1.5 * (octave % 8)
    y, x = np.mgrid[0:size, 0:size] / size
    phase = 2 * np.pi * (cycles * (x * np.cos(angle) + y * np.sin(angle)) + draws[1])
    balance = np.cos(np.arange(channels) * (1.0 + octave // 8))
    contrast = 0.2 + 0.25 * draws[2]
    # The sum of three uniforms, centred, has variance 1/4: near enough to Gaussian noise.
    grain = _uniform(bits, 3 * size * size * channels).reshape(3, size, size, channels).sum(0) - 1.5
    image = 0.5 + contrast * np.sin(phase)[..., None] * balance + 2.0 * noise * grain
    return np.rint(255 * np.clip(image, 0.0, 1.0)).astype(np.uint8), label


def _uniform(bits: np.random.Philox, count: int) -> np.ndarray:
    return (bits.random_raw(count) >> np.uint64(11)) * 2.0**-53
