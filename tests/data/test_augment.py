import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from cnn_jax.data.augment import affine, augmentation
from tests import configs


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (9, 12, 2)).astype(np.float32)


def test_identity() -> None:
    x = image()
    np.testing.assert_allclose(affine(jnp.asarray(x), jnp.zeros(2), 1.0, 0.0), x, atol=1e-3)


@pytest.mark.parametrize(("border", "mode"), [("edge", "nearest"), ("zero", "grid-constant")])
def test_affine_against_scipy(border: str, mode: str) -> None:
    x, zoom, angle, offset = image(), 1.2, 0.3, np.array([1.3, -0.7])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / zoom
    centre = (np.array(x.shape[:2]) - 1) / 2
    start = centre - rotation @ (centre + offset)
    expected = np.stack(
        [ndimage.affine_transform(x[..., c], rotation, start, order=1, mode=mode) for c in (0, 1)],
        axis=-1,
    )
    out = affine(jnp.asarray(x), jnp.asarray(offset, jnp.float32), zoom, angle, border)
    np.testing.assert_allclose(out, expected, atol=0.02)


def test_nothing_asked_for_is_nothing() -> None:
    quiet = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.flip": False}
    assert augmentation(configs.make(quiet).data) is None


def test_draws_belong_to_the_example_and_not_to_its_batch() -> None:
    augment = augmentation(configs.make({"data.scale": 0.2}).data)
    assert augment is not None
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), jnp.arange(6))
    images = jnp.asarray(np.stack([image(i) for i in range(6)]).astype(np.uint8))
    whole = augment(keys, images)
    halves = [augment(keys[i : i + 3], images[i : i + 3]) for i in (0, 3)]
    np.testing.assert_allclose(whole, np.concatenate(halves), atol=1e-4)
    assert not np.allclose(whole[0], augment(keys[1:2], images[:1])[0])


def test_flip_mirrors_about_half_of_the_images() -> None:
    only_flip = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0}
    augment = augmentation(configs.make(only_flip).data)
    assert augment is not None
    x = image().astype(np.uint8)
    keys = jax.random.split(jax.random.key(1), 200)
    out = np.asarray(augment(keys, jnp.asarray(np.repeat(x[None], 200, 0))))
    flipped = (out == x[None, :, ::-1]).all((1, 2, 3))
    kept = (out == x[None]).all((1, 2, 3))
    assert (flipped ^ kept).all() and 70 < flipped.sum() < 130
