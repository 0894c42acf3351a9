"""Colours changed at random, on the device, one key an example: as published.

Each rule takes float RGB on the scale [0, 255]. Strengths of 0 leave a change out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.moments import moments_of
from cnn_jax.data.pca import IMAGENET, Components, components_of

Colour = Callable[[jax.Array, jax.Array], jax.Array]  # key, (H, W, 3) -> (H, W, 3)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, which both PIL and fb.resnet.torch use


def none(components: Components) -> None:
    """Leaves the colours as they are."""


def pca(components: Components, *, std: float = 0.1) -> Colour:
    """Adds a random multiple of each principal component of the pixels of the data.

    Source: Krizhevsky et al. 2012, section 4.1: to every pixel of an image is added
    [p1 p2 p3] [a1 l1, a2 l2, a3 l3]^T, eigenvectors p and eigenvalues l of the covariance of RGB
    pixels, a drawn from N(0, 0.1^2) once for each use of an image. With pixels on the scale [0, 1]
    that is a deviation of about 3 of 255 grey levels.

    Args:
        components: of pixels on the scale [0, 1].
        std: of a.
    """
    return lambda key, image: lit(key, image, components, std)


def photometric(
    components: Components,
    *,
    brightness: float = 0.5,
    contrast: float = 0.5,
    saturation: float = 0.5,
    lighting: float = 0.1,
) -> Colour:
    """Brightness, contrast and saturation by factors in [0.5, 1.5] in random order; then `pca`.

    Source: A. G. Howard (2013), Some Improvements on Deep Convolutional Neural Network Based Image
    Classification, arXiv:1312.5402, section 2; GoogLeNet and its successors refer to it. There
    with PIL, which clips to [0, 255] after each change, as here, and rounds, which is not done.

    Args:
        components: of pixels on the scale [0, 1].
        brightness: largest deviation of the factor from 1.
        contrast: the same.
        saturation: the same.
        lighting: `std` of `pca`.
    """
    return _jittered(components, (brightness, contrast, saturation), lighting, clipped=True)


def fb_resnet(
    components: Components,
    *,
    brightness: float = 0.4,
    contrast: float = 0.4,
    saturation: float = 0.4,
    lighting: float = 0.1,
) -> Colour:
    """Brightness, contrast and saturation by factors in [0.6, 1.4] in random order; then `pca`.

    Source: S. Gross, M. Wilber (2016), fb.resnet.torch, datasets/transforms.lua, ColorJitter and
    Lighting, and datasets/imagenet.lua. Nothing is clipped.

    Args:
        components: of pixels on the scale [0, 1].
        brightness: largest deviation of the factor from 1.
        contrast: the same.
        saturation: the same.
        lighting: `std` of `pca`.
    """
    return _jittered(components, (brightness, contrast, saturation), lighting, clipped=False)


COLOURS: dict[str, Callable[..., Colour | None]] = {
    "fb_resnet": fb_resnet,
    "none": none,
    "pca": pca,
    "photometric": photometric,
}


def colour_of(section: Any, dataset: Dataset) -> Colour | None:
    """Returns the rule that the section `colour` of a config asks for; None: there is none.

    Args:
        section: `config.colour`: `name`, `components` and `kwargs`.
        dataset: whose train split gives the components, where they are not ImageNet's.

    Raises:
        InputError: the images are not RGB.
    """
    if section.name != "none" and dataset.image_shape[2] != 3:
        raise InputError(
            f"config.colour.name = {section.name!r}: the images have {dataset.image_shape[2]} "
            "channel; allowed: none"
        )
    components = IMAGENET
    if section.name != "none" and section.components == "train":
        components = components_of(moments_of(dataset.train).covariance)
    return COLOURS[section.name](components, **section.kwargs.to_dict())


def lit(key: jax.Array, image: jax.Array, components: Components, std: float) -> jax.Array:
    """Returns RGB on the scale [0, 255] with multiples of the components added, see `pca`."""
    weights = std * jax.random.normal(key, (3,), image.dtype)
    values = jnp.asarray(components.eigenvalues, image.dtype)
    vectors = jnp.asarray(components.eigenvectors, image.dtype)
    return image + 255 * jnp.sum(vectors * (weights * values), axis=1)


def brightened(image: jax.Array, factor: jax.Array | float) -> jax.Array:
    """Returns an image blended with black."""
    return factor * image


def contrasted(image: jax.Array, factor: jax.Array | float) -> jax.Array:
    """Returns an image blended with the mean of its luma."""
    return factor * image + (1 - factor) * jnp.mean(luma(image))


def saturated(image: jax.Array, factor: jax.Array | float) -> jax.Array:
    """Returns an image blended with its luma."""
    return factor * image + (1 - factor) * luma(image)


def luma(image: jax.Array) -> jax.Array:
    """Returns the luma of RGB, (H, W, 1)."""
    return jnp.sum(image * jnp.asarray(LUMA, image.dtype), axis=-1, keepdims=True)


def _jittered(
    components: Components, strengths: tuple[float, ...], lighting: float, clipped: bool
) -> Colour:
    changes = (brightened, contrasted, saturated)

    def colour(key: jax.Array, image: jax.Array) -> jax.Array:
        of_factors, of_order, of_lighting = jax.random.split(key, 3)
        draws = jax.random.uniform(of_factors, (3,), image.dtype, -1.0, 1.0)
        factors = 1 + draws * jnp.asarray(strengths, image.dtype)
        for number in jax.random.permutation(of_order, 3):
            image = jax.lax.switch(number, changes, image, factors[number])
            if clipped:
                image = jnp.clip(image, 0, 255)
        return lit(of_lighting, image, components, lighting)

    return colour
