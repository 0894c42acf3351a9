"""Colours against numpy written from the papers."""

import itertools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.colour import COLOURS, colour_of
from cnn_jax.data.moments import moments_of
from cnn_jax.data.pca import IMAGENET, components_of
from cnn_jax.data.prepare.preparation import Wanted, prepare
from tests import configs

IMAGE = np.random.default_rng(0).uniform(0, 255, (6, 5, 3)).astype(np.float32)
RGB = {"data.kwargs.channels": 3}


def black(x: np.ndarray) -> np.ndarray:
    return np.zeros_like(x)


def grey(x: np.ndarray) -> np.ndarray:
    return np.repeat(x @ np.array([[0.299], [0.587], [0.114]]), 3, axis=-1)


def mean_grey(x: np.ndarray) -> np.ndarray:
    return np.full_like(x, grey(x).mean())


CHANGES = (black, mean_grey, grey)  # what brightness, contrast and saturation blend with


def jittered(
    x: np.ndarray, order: tuple[int, ...], factors: np.ndarray, clipped: bool
) -> np.ndarray:
    x = x.astype(np.float64)
    for number in order:
        x = factors[number] * x + (1 - factors[number]) * CHANGES[number](x)
        x = x.clip(0, 255) if clipped else x
    return x


def principal(alpha: np.ndarray) -> np.ndarray:
    """[p1 p2 p3] [a1 l1, a2 l2, a3 l3]^T on the scale [0, 255]."""
    p = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.814], [-0.5836, -0.6948, 0.4203]]
    )
    return 255 * p @ (alpha * np.array([0.2175, 0.0188, 0.0045]))


def test_pca_adds_one_colour_to_every_pixel() -> None:
    for i in range(5):
        key = jax.random.key(i)
        out = COLOURS["pca"](IMAGENET, std=0.1)(key, jnp.asarray(IMAGE))
        alpha = 0.1 * np.asarray(jax.random.normal(key, (3,)))
        np.testing.assert_allclose(out, IMAGE + principal(alpha), atol=1e-3)


def test_pca_has_the_covariance_of_the_paper() -> None:
    """Drawn often, the added colour has covariance std^2 P diag(l^2) P^T."""
    keys = jax.random.split(jax.random.key(0), 20_000)
    colour = COLOURS["pca"](IMAGENET)
    added = np.asarray(jax.vmap(colour, (0, None))(keys, jnp.zeros((1, 1, 3))))[:, 0, 0] / 255
    p, values = np.array(IMAGENET.eigenvectors), np.array(IMAGENET.eigenvalues)
    expected = 0.1**2 * p @ np.diag(values**2) @ p.T
    np.testing.assert_allclose(np.cov(added.T), expected, atol=0.03 * expected.max())
    np.testing.assert_allclose(added.mean(0), 0, atol=5e-4)


@pytest.mark.parametrize(
    ("name", "strength", "clipped"), [("photometric", 0.5, True), ("fb_resnet", 0.4, False)]
)
def test_jitter_is_one_of_the_six_orders(name: str, strength: float, clipped: bool) -> None:
    colour, seen = COLOURS[name](IMAGENET), set()
    for i in range(12):
        of_factors, of_order, of_lighting = jax.random.split(jax.random.key(i), 3)
        draws = np.asarray(jax.random.uniform(of_factors, (3,), minval=-1.0, maxval=1.0))
        order = tuple(int(number) for number in jax.random.permutation(of_order, 3))
        alpha = 0.1 * np.asarray(jax.random.normal(of_lighting, (3,)))
        expected = jittered(IMAGE, order, 1 + strength * draws, clipped) + principal(alpha)
        out = colour(jax.random.key(i), jnp.asarray(IMAGE))
        np.testing.assert_allclose(out, expected, atol=2e-3)
        seen.add(order)
    assert len(seen) > 3 and seen <= set(itertools.permutations(range(3)))


@pytest.mark.parametrize(("name", "strength"), [("photometric", 0.5), ("fb_resnet", 0.4)])
def test_factors_reach_as_far_as_printed(name: str, strength: float) -> None:
    others = {"contrast": 0.0, "saturation": 0.0, "lighting": 0.0}
    colour = COLOURS[name](IMAGENET, **others)
    keys = jax.random.split(jax.random.key(1), 4000)
    factors = np.asarray(jax.vmap(colour, (0, None))(keys, jnp.full((1, 1, 3), 100.0)))[:, 0, 0, 0]
    assert 1 - strength <= factors.min() / 100 < 1 - 0.98 * strength
    assert 1 + 0.98 * strength < factors.max() / 100 <= 1 + strength


def test_components_are_those_of_the_covariance_of_all_pixels() -> None:
    train = sources.load(configs.make(RGB).data).train
    pixels = train.images.reshape(-1, 3).astype(np.float64) / 255
    covariance = np.cov(pixels.T, ddof=0)
    np.testing.assert_allclose(moments_of(train).covariance, covariance, atol=1e-12)
    found = components_of(covariance)
    values, vectors = np.array(found.eigenvalues), np.array(found.eigenvectors)
    assert (np.diff(values) <= 0).all() and (values >= 0).all()
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-12)


def test_imagenets_components_are_orthonormal() -> None:
    vectors = np.array(IMAGENET.eigenvectors)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-4)


def test_config_chooses_rule_and_components() -> None:
    config = configs.make(RGB | {"colour.name": "pca", "colour.components": "train"})
    dataset = sources.load(config.data)
    colour = colour_of(config.colour, dataset)
    assert colour is not None
    own = components_of(moments_of(dataset.train).covariance)
    key, image = jax.random.key(3), jnp.asarray(IMAGE)
    np.testing.assert_allclose(colour(key, image), COLOURS["pca"](own)(key, image), atol=1e-4)
    assert not np.allclose(colour(key, image), COLOURS["pca"](IMAGENET)(key, image), atol=1e-2)
    assert colour_of(configs.make().colour, dataset) is None


def test_grey_images_have_no_colours() -> None:
    config = configs.make({"colour.name": "fb_resnet"})
    with pytest.raises(InputError, match="1 channel; allowed: none"):
        colour_of(config.colour, sources.load(config.data))


def test_components_of_whole_files(tmp_path: Path) -> None:
    """`prepare --pca`: over all pixels of images of any size; what cannot be read is left out."""
    rng, pixels = np.random.default_rng(4), []
    for part in ("train", "val"):
        for i, size in enumerate(((9, 7), (4, 12), (10, 10))):
            image = rng.integers(0, 256, (*size, 3), np.uint8)
            image[..., 1] //= 2
            here = tmp_path / "images" / part / "ab"[i % 2]
            here.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(here / f"{i}.png")
            pixels += [image.reshape(-1, 3)] if part == "train" else []
    (tmp_path / "images" / "train" / "a" / "4.png").write_text("text")
    wanted = Wanted("folder", tmp_path / "data", folder=tmp_path / "images", pca=True)
    line = prepare(wanted, lambda *progress: None)[-3]
    found = json.loads(line.removeprefix("principal components of RGB: "))
    values, vectors = np.array(found["eigenvalues"]), np.array(found["eigenvectors"])
    expected = np.cov(np.concatenate(pixels).T / 255, ddof=0)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, expected, atol=1e-12)
