"""Small networks with random weights, to be looked at."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax import models
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.seeing.subject import Subject


def subject(
    name: str, size: int, channels: int = 3, classes: int = 4, bias: bool = True, **kwargs: Any
) -> Subject:
    """Returns a network with random parameters, of images in [0, 1].

    Args:
        name: of the network.
        size: height and width.
        channels: of the images.
        classes: of the network.
        bias: whether biases are other than 0.
        **kwargs: of the network.
    """
    model = models.build(name, num_classes=classes, **kwargs)
    shape = jax.ShapeDtypeStruct((1, size, size, channels), model.dtype)
    shapes = jax.eval_shape(model.init, jax.random.key(0), shape)
    rng = np.random.default_rng(0)

    def draw(path: Any, leaf: Any) -> jax.Array:
        values = rng.normal(0, 0.3, leaf.shape)
        if path[0].key == "batch_stats":  # one of both is a variance
            values = np.abs(values) + 0.5
        elif path[-1].key == "bias" and not bias:
            values = 0 * values
        return jnp.asarray(values, leaf.dtype)

    variables = {"batch_stats": {}, **jax.tree_util.tree_map_with_path(draw, shapes)}
    record = Preprocessing(
        size,
        size,
        channels,
        "antialias",
        (0.0,) * channels,
        (1.0,) * channels,
        tuple(f"class {i}" for i in range(classes)),
    )
    return Subject(model, variables, record, name)


def image(size: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    """Returns a random image, uint8 (size, size, channels)."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), np.uint8)
