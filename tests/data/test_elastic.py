"""Elastic distortions against scipy's Gaussian filter and interpolation, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cnn_jax.config.problems import InputError
from cnn_jax.data.augment import ELASTIC, affine, augmentation
from cnn_jax.data.elastic import displacements, gaussian_matrix
from tests import configs

STILL = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.flip": False}


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 40),
    sigma=st.floats(0.01, 30.0),
    seed=st.integers(0, 2**31),
)
def test_the_matrix_is_scipys_gaussian_filter(length: int, sigma: float, seed: int) -> None:
    signal = np.random.default_rng(seed).uniform(-1, 1, length)
    expected = ndimage.gaussian_filter1d(signal, sigma, mode="constant")
    np.testing.assert_allclose(gaussian_matrix(length, sigma) @ signal, expected, atol=1e-13)


def field_by_scipy(
    key: jax.Array, height: int, width: int, alpha: float, sigma: float
) -> np.ndarray:
    draws = np.asarray(jax.random.uniform(key, (2, height, width), float, -1.0, 1.0), np.float64)
    return alpha * np.stack([ndimage.gaussian_filter(d, sigma, mode="constant") for d in draws])


@pytest.mark.parametrize(("border", "mode"), [("edge", "nearest"), ("zero", "grid-constant")])
@pytest.mark.parametrize("moved", [{}, {"data.rotation_degrees": 20.0, "data.shift_pixels": 2.0}])
def test_one_resampling_against_scipy(border: str, mode: str, moved: dict[str, float]) -> None:
    """Bent alone, and bent after an affine, whose draws are those that it has without."""
    alpha, sigma, count, size = 40.0, 3.0, 3, (13, 10)
    keys = STILL | moved | {"data.border": border}
    bent = {"data.elastic_alpha": alpha, "data.elastic_sigma": sigma}
    images = np.random.default_rng(0).integers(0, 255, (count, *size, 2), np.uint8)
    with jax.enable_x64(True):
        drawn = jax.random.split(jax.random.key(3), count)
        augment = augmentation(configs.make(keys | bent).data)
        assert augment is not None
        found = np.asarray(augment(drawn, jnp.asarray(images)))
        fields = [
            field_by_scipy(jax.random.fold_in(key, ELASTIC), *size, alpha, sigma) for key in drawn
        ]
        draws = [np.asarray(jax.random.uniform(key, (5,), float, -1.0, 1.0)) for key in drawn]
    assert found.dtype == np.float64
    centre = (np.array(size) - 1)[:, None, None] / 2
    for image, field, draw, out in zip(images, fields, draws, found, strict=True):
        shift, angle = np.zeros((2, 1, 1)), 0.0
        if moved:
            shift, angle = 2.0 * draw[1:3, None, None], np.deg2rad(20.0 * draw[4])
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        places = np.mgrid[: size[0], : size[1]] + field - centre - shift
        places = np.einsum("ij,jyx->iyx", back, places) + centre
        expected = np.stack(
            [
                ndimage.map_coordinates(channel.astype(float), places, order=1, mode=mode)
                for channel in np.moveaxis(image, -1, 0)
            ],
            -1,
        )
        np.testing.assert_allclose(out, expected, atol=1e-9)


def test_the_papers_example() -> None:
    """Section 2, Figure 1: displaced by 1.75 to the right and 0.5 down, the new value is 7."""
    image = jnp.asarray([[0.0, 3.0, 7.0], [0.0, 5.0, 9.0]])[..., None]
    field = jnp.zeros((2, 2, 3)).at[:, 0, 0].set(jnp.asarray([0.5, 1.75]))
    bent = affine(image, jnp.zeros(2), jnp.ones(()), jnp.zeros(()), "zero", None, field)
    np.testing.assert_allclose(bent[0, 0], 7.0, rtol=1e-6)


def test_size_of_a_displacement() -> None:
    """As the docstring of the module says, at the values of the paper."""
    draw = jax.vmap(lambda key: displacements(key, 29, 29, 34.0, 4.0))
    fields = draw(jax.random.split(jax.random.key(0), 2000))
    assert float(jnp.sqrt(jnp.mean(fields**2))) == pytest.approx(1.28, abs=0.02)
    assert float(jnp.mean(fields)) == pytest.approx(0.0, abs=0.02)


def test_what_a_gaussian_cannot_be() -> None:
    with pytest.raises(InputError, match="data.elastic_sigma"):
        configs.make({"data.elastic_sigma": 0.0})
