"""What layers say of pixels, as functions of images of any size that is large enough for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.models.features import features
from cnn_jax.models.listening import Sound
from cnn_jax.seeing.subject import Subject


def layers_of(
    subject: Subject, names: Sequence[str], average_pooling: bool = False
) -> Callable[[jax.Array], Mapping[str, Sound]]:
    """Returns pixels (B, H, W, C) -> what layers say of them.

    Args:
        subject: the network.
        names: of its layers.
        average_pooling: whether averages stand in for all maxima.

    Raises:
        InputError: one of the layers does not exist.
    """
    for name in names:
        subject.check_layer(name, maps=False)

    def said(pixels: jax.Array) -> Mapping[str, Sound]:
        images = subject.preprocessing(pixels, subject.model.dtype)
        found = features(subject.model, subject.variables, images, names, average_pooling)
        sides = {name: [side.astype(jnp.float32) for side in found[name]] for name in names}
        return {name: Sound(*both) for name, both in sides.items()}

    return said


def layer_of(subject: Subject, name: str, before: bool = False) -> Callable[[jax.Array], jax.Array]:
    """Returns pixels (B, H, W, C) -> what one layer says behind its nonlinearity, or before it."""
    said = layers_of(subject, [name])
    return lambda pixels: getattr(said(pixels)[name], "before" if before else "after")


def problem_at(
    function: Callable[[jax.Array], object], size: tuple[int, int], channels: int
) -> str:
    """Returns why a function of pixels sees no images of this size; empty where it does.

    Nothing is computed.
    """
    shape = jax.ShapeDtypeStruct((1, *size, channels), jnp.float32)
    try:
        jax.eval_shape(function, shape)
    except InputError as error:
        return str(error)
    return ""
