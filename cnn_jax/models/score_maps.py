"""Fully connected layers as convolutions: a network's scores at every position of larger images.

P. Sermanet et al. (2014), OverFeat, section 3.5; K. Simonyan, A. Zisserman (2015), section 3.2: the
first fully connected layer becomes a convolution as large as the maps that it was trained on, the
others become 1x1. The result is what the whole head gives, slid over the last maps one by one. The
parameters stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.layers.convolution import conv2d
from cnn_jax.layers.dense import Dense
from cnn_jax.models.layered import Layered
from cnn_jax.models.network import Network, Prediction


def score_maps(model: Network, variables: Mapping[str, Any], images: jax.Array) -> jax.Array:
    """Returns the logits of a network in evaluation mode at every position.

    A network that pools its last maps globally, or by a pyramid, has one position on images of any
    size.

    Args:
        model: the network.
        variables: as it was trained.
        images: (B, H, W, C), no smaller than in training.

    Returns:
        (B, h, w, classes), float32 at least.

    Raises:
        InputError: the images are too small, or the network was trained on maps that are not
            square.
    """
    with nn.intercept_methods(_keep_positions):
        prediction = model.apply(variables, images, train=False)
    assert isinstance(prediction, Prediction)
    logits = prediction.logits
    return logits if logits.ndim == 4 else logits[:, None, None]


def _keep_positions(
    run: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any], context: Any
) -> Any:
    """Lets maps pass `flatten`, and convolves them with the kernel that expects them flat."""
    if isinstance(context.module, Layered) and context.method_name == "flatten":
        return arguments[0]
    is_dense = isinstance(context.module, Dense) and context.method_name == "__call__"
    if is_dense and arguments[0].ndim == 4:
        return _convolved(context.module, arguments[0])
    return run(*arguments, **options)


def _convolved(layer: Dense, maps: jax.Array) -> jax.Array:
    kernel: jax.Array = layer.get_variable("params", "kernel")
    inputs, features = kernel.shape
    channels = maps.shape[-1]
    side = math.isqrt(inputs // channels)
    if side * side * channels != inputs:
        raise InputError(
            f"dense evaluation: {layer.name} expects {inputs} features, which are no square of "
            f"positions of {channels} maps"
        )
    if side > min(maps.shape[1:3]):
        raise InputError(
            f"dense evaluation: {layer.name} was trained on maps of {side} x {side}, these are "
            f"{maps.shape[1]} x {maps.shape[2]}: the images are too small"
        )
    filters = jnp.asarray(kernel, layer.dtype).reshape(side, side, channels, features)
    scores = conv2d(jnp.asarray(maps, layer.dtype), filters)
    return scores + jnp.asarray(layer.get_variable("params", "bias"), layer.dtype)
