from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cnn_jax.config.keys import Config
from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.augment import Augment, affine, augmentation, shifted, whole_offset
from cnn_jax.data.colour import colour_of
from tests import configs


def compiled(config: Config, *also: Any, **kwargs: Any) -> Augment:
    """Returns the augmentation of a config as one program: one by one its operations take long."""
    augment = augmentation(config.data, *also, **kwargs)
    assert augment is not None
    return jax.jit(augment)


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


@given(
    st.floats(0.8, 1.3),
    st.floats(-0.4, 0.4),
    st.floats(0.6, 1.7),
    st.floats(-0.5, 0.5),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    st.sampled_from([("edge", "nearest"), ("zero", "grid-constant")]),
)
@settings(max_examples=25, deadline=None)
def test_squeeze_and_shear_against_scipy(
    zoom: float,
    angle: float,
    stretch: float,
    shear: float,
    offset: tuple[float, float],
    borders: tuple[str, str],
) -> None:
    """The image is sheared, squeezed, zoomed, rotated, shifted: matrices of (row, column)."""
    x = image()
    sheared = np.array([[1, 0], [shear, 1]])
    squeezed = np.diag([stretch, 1 / stretch])
    rotated = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(zoom * rotated @ squeezed @ sheared)
    centre = (np.array(x.shape[:2]) - 1) / 2
    start = centre - back @ (centre + offset)
    wide = x.astype(np.float64)
    expected = np.stack(
        [
            ndimage.affine_transform(wide[..., c], back, start, order=1, mode=borders[1])
            for c in (0, 1)
        ],
        axis=-1,
    )
    numbers = (jnp.asarray(number, jnp.float32) for number in (zoom, angle))
    planar = (jnp.asarray(stretch, jnp.float32), jnp.asarray(shear, jnp.float32))
    out = affine(jnp.asarray(x), jnp.asarray(offset, jnp.float32), *numbers, borders[0], planar)
    np.testing.assert_allclose(out, expected, atol=0.05)


@pytest.mark.parametrize(("squeeze", "shear"), [(0.25, 0.0), (0.0, 0.3), (0.25, 0.3)])
def test_squeezes_and_shears_of_examples(squeeze: float, shear: float) -> None:
    """Uniform in the logarithm and in the slope, up to what is asked for, the reverse as likely."""
    keys = {"data.squeeze": squeeze, "data.shear": shear, "data.flip": False}
    quiet = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.border": "zero"}
    augment = compiled(configs.make(keys | quiet))
    # A square whose edges are ramps: its moments are those of the distorted square.
    square = np.zeros((41, 41, 1), np.uint8)
    square[14:27, 14:27] = 200
    count = 300
    out = augment(
        jax.random.split(jax.random.key(0), count), jnp.asarray(np.repeat(square[None], count, 0))
    )
    mass = np.asarray(out, np.float64)[..., 0]
    y, x = np.mgrid[-20:21, -20:21]
    total, high = mass.sum((1, 2)), (mass * y**2).sum((1, 2))
    across = (mass * x * y).sum((1, 2))
    height = np.log(np.sqrt(high / total) / np.sqrt((13**2 - 1) / 12))
    slope = across / high
    np.testing.assert_allclose(total, total.mean(), rtol=0.02)  # neither changes the area
    assert abs(height).max() < np.log1p(squeeze) + 0.03 and abs(height.mean()) < 0.03
    if squeeze:
        assert height.std() == pytest.approx(np.log1p(squeeze) / np.sqrt(3), rel=0.15)
    # Stretched by f, a slope is 1 / f^2 as steep.
    slope = slope * np.exp(2 * height)
    assert abs(slope).max() < shear + 0.03 and abs(slope.mean()) < 0.03
    if shear:
        assert slope.std() == pytest.approx(shear / np.sqrt(3), rel=0.15)


def test_older_draws_stay_where_a_squeeze_is_added() -> None:
    """A squeeze so small that it moves nothing changes nothing."""
    before, after = (compiled(configs.make({"data.squeeze": x})) for x in (0.0, 1e-7))
    keys = jax.random.split(jax.random.key(3), 4)
    images = jnp.asarray(np.stack([image(i) for i in range(4)]).astype(np.uint8))
    np.testing.assert_allclose(before(keys, images), after(keys, images), atol=0.01)


def test_nothing_asked_for_is_nothing() -> None:
    quiet = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.flip": False}
    assert augmentation(configs.make(quiet).data) is None


@pytest.mark.parametrize("keys", [{"data.scale": 0.2}, {"data.elastic_alpha": 34.0}])
def test_draws_belong_to_the_example_and_not_to_its_batch(keys: dict[str, float]) -> None:
    augment = compiled(configs.make(keys))
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), jnp.arange(6))
    images = jnp.asarray(np.stack([image(i) for i in range(6)]).astype(np.uint8))
    whole = augment(keys, images)
    halves = [augment(keys[i : i + 3], images[i : i + 3]) for i in (0, 3)]
    np.testing.assert_allclose(whole, np.concatenate(halves), atol=1e-4)
    assert not np.allclose(whole[0], augment(keys[1:2], images[:1])[0])


def test_flip_mirrors_about_half_of_the_images() -> None:
    only_flip = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0}
    augment = compiled(configs.make(only_flip))
    x = image().astype(np.uint8)
    keys = jax.random.split(jax.random.key(1), 200)
    out = np.asarray(augment(keys, jnp.asarray(np.repeat(x[None], 200, 0))))
    flipped = (out == x[None, :, ::-1]).all((1, 2, 3))
    kept = (out == x[None]).all((1, 2, 3))
    assert (flipped ^ kept).all() and 70 < flipped.sum() < 130


@pytest.mark.parametrize("pad", [4, 2])
def test_whole_shift_is_pad_and_crop(pad: int) -> None:
    """He et al. 2016, section 4.2: zeros around the image less its mean, and a random crop."""
    keys = {"data.shift_pixels": float(pad), "data.shift_form": "whole", "data.border": "mean"}
    quiet = {"data.rotation_degrees": 0.0}
    mean = np.random.default_rng(2).uniform(0.2, 0.6, (9, 12, 2))
    augment = compiled(configs.make(keys | quiet), mean=mean)
    x, count = image().astype(np.uint8), 400
    out = augment(
        jax.random.split(jax.random.key(1), count), jnp.asarray(np.repeat(x[None], count, 0))
    )
    centred = x / 255.0 - mean
    found = np.asarray(out) / 255.0 - mean
    around = ((pad, pad), (pad, pad), (0, 0))
    sides = [np.pad(flipped, around) for flipped in (centred, centred[:, ::-1])]
    crops = np.stack(
        [
            side[y : y + 9, z : z + 12]
            for side in sides
            for y in range(2 * pad + 1)
            for z in range(2 * pad + 1)
        ]
    )
    distances = np.abs(found[:, None] - crops[None]).max((2, 3, 4))
    assert distances.min(1).max() < 1e-5, "each is one of the crops"
    # Of (2 pad + 1)^2 crops and their mirrors, drawn 400 times, most are seen.
    seen = len(np.unique(distances.argmin(1)))
    assert seen > 0.8 * min(len(crops) * (1 - np.exp(-count / len(crops))), len(crops))


def test_whole_shift_with_other_borders() -> None:
    x = jnp.asarray(image())
    out = np.asarray(shifted(x, jnp.asarray([2, -1]), 3, "edge"))
    np.testing.assert_array_equal(out[2:, :-1], x[:-2, 1:])
    np.testing.assert_array_equal(out[0], out[2])
    out = np.asarray(shifted(x, jnp.asarray([2, -1]), 3, "zero"))
    assert (out[:2] == 0).all() and (out[:, -1] == 0).all()


def test_a_whole_shift_in_float64() -> None:
    x, offset = image(), np.array([2, -1], np.int32)
    expected = np.asarray(shifted(jnp.asarray(x), jnp.asarray(offset), 3))
    with jax.enable_x64(True):
        wide = jnp.asarray(x, jnp.float64)
        np.testing.assert_array_equal(shifted(wide, jnp.asarray(offset), 3), expected)


def test_whole_offsets_are_equally_likely() -> None:
    draws = jax.random.uniform(jax.random.key(0), (9000,), float, -1.0, 1.0)
    counts = np.bincount(np.asarray(whole_offset(draws, 4)) + 4)
    assert len(counts) == 9 and (abs(counts - 1000) < 150).all()


def test_a_whole_shift_needs_a_whole_number() -> None:
    with pytest.raises(InputError, match="needs a whole number"):
        configs.make({"data.shift_form": "whole", "data.shift_pixels": 1.5})


def test_colours_change_behind_nothing_and_before_the_shift() -> None:
    keys = {"colour.name": "pca", "data.kwargs.channels": 3}
    config = configs.make(keys | {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0})
    colour = colour_of(config.colour, sources.load(config.data))
    augment = compiled(config, colour)
    images = jnp.asarray(np.random.default_rng(0).integers(0, 255, (6, 9, 8, 3), np.uint8))
    out = np.asarray(augment(jax.random.split(jax.random.key(0), 6), images))
    for one, x in zip(out, np.asarray(images, np.float32), strict=True):
        kept = min((one - x, one - x[:, ::-1]), key=lambda change: change.std((0, 1)).max())
        assert kept.std((0, 1)).max() < 1e-3, "one colour on all of the image, mirrored or not"
        assert np.abs(kept).max() > 0.01
