"""Images made by ascent and descent, on functions whose results are known."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.models.listening import Sound
from cnn_jax.seeing.class_model import class_model, transformed
from cnn_jax.seeing.dream import Dreaming, ascended, dream, frames, objective, zoomed
from cnn_jax.seeing.inversion import invert
from cnn_jax.seeing.style import Task, gram, loss_of, style_loss, transfer
from cnn_jax.seeing.style_colours import (
    EPSILON,
    luminance,
    matched_colours,
    matched_luminance,
    with_colours_of,
)

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(0, 255, (9, 7, 3)).astype(np.float32)


def test_the_class_model_of_a_linear_classifier_is_its_weights() -> None:
    """The maximum of w x - lambda |x|^2 is w / 2 lambda."""
    weights = RNG.standard_normal((4, 3, 2, 5)).astype(np.float32)

    def scores(x: jax.Array) -> jax.Array:
        return jnp.einsum("bhwc,hwck->bk", x, weights) + 7

    for label, penalty in ((0, 0.5), (4, 0.05)):
        found = class_model(scores, label, (4, 3, 2), penalty)
        np.testing.assert_allclose(found, weights[..., label] / (2 * penalty), rtol=2e-3, atol=2e-3)


def test_transforms_move_little_and_keep_a_constant() -> None:
    pixels = jnp.full((24, 24, 1), 127.5)
    turned = jax.jit(transformed)
    for seed in range(4):
        np.testing.assert_allclose(turned(pixels, jax.random.key(seed)), 127.5, atol=1e-3)
    spot = jnp.full((24, 24, 1), 127.5).at[11:13, 11:13].set(255)
    moved = turned(spot, jax.random.key(1))
    at = np.argwhere(np.asarray(moved[..., 0]) > 150)
    assert len(at) and np.abs(at - 11.5).max() < 4
    assert float(jnp.abs(moved - spot).max()) > 1, "something was done"


def test_a_step_of_a_dream_is_its_size_in_the_mean() -> None:
    """But where it is clipped."""
    slope = jax.grad(objective(lambda pixels: pixels**2 / 100))
    inside = 100 + IMAGE / 10
    after = ascended(slope, inside, Dreaming(), np.array([3, -2]))
    assert np.abs(after - inside).mean() == pytest.approx(1.5, rel=1e-5)
    still = ascended(slope, inside, Dreaming(step=0), np.array([3, -2]))
    np.testing.assert_array_equal(still, inside)
    with pytest.raises(InputError, match="gradient is zero"):
        ascended(slope, np.zeros_like(IMAGE), Dreaming(), np.array([0, 0]))


@pytest.mark.parametrize("size, octaves", [((3, 20), 4), ((9, 7), 2), ((5, 5), 1)])
def test_no_step_changes_nothing(size: tuple[int, int], octaves: int) -> None:
    """Through rolls and octaves: what is added is detail alone."""
    image = RNG.uniform(0, 255, (*size, 1)).astype(np.float32)
    how = Dreaming(iterations=2, octaves=octaves, step=0)
    np.testing.assert_array_equal(dream(lambda x: (x**2).sum(), image, how), image)


def test_a_dream_stays_a_picture_and_octaves_stay_large_enough() -> None:
    seen: list[tuple[int, ...]] = []

    def gain(pixels: jax.Array) -> jax.Array:
        seen.append(pixels.shape[1:3])
        return (pixels**2).sum()

    found = dream(gain, IMAGE, Dreaming(iterations=3), lambda size: min(size) >= 5)
    assert found.shape == IMAGE.shape and found.min() >= 0 and found.max() <= 255 + 1e-3
    assert found.mean() > IMAGE.mean() and min(map(min, seen)) >= 5
    shown = list(frames(lambda image: image, IMAGE, 3))
    assert len(shown) == 3 and all(frame.shape == IMAGE.shape for frame in shown)
    flat = np.full((8, 8, 1), 40.0)
    assert all(np.allclose(frame, 40) for frame in frames(lambda image: image, flat, 3))
    assert zoomed(IMAGE, (18, 14)).shape == (18, 14, 3)


def test_a_guide_draws_each_position_to_its_best_match() -> None:
    guide = np.array([[[[1.0, 0.0], [0.0, 2.0]]]])
    pixels = jnp.array([[[[3.0, 1.0], [1.0, 3.0]]]])
    slope = jax.grad(objective(lambda x: x, guide))(pixels)
    np.testing.assert_array_equal(slope, [[[[1, 0], [0, 2]]]])  # 3 > 2, and 1 < 6


def test_an_inversion_of_what_keeps_all_is_the_image() -> None:
    image = 127 + 40 * np.sin(np.arange(48).reshape(6, 8, 1) / 7)
    found = invert(lambda x: x, image, np.array([120.0]), total_variation=1e-4)
    assert found.distance < 0.005 and np.abs(found.image - image).max() < 12
    assert found.losses[-1] < found.losses[0]
    with pytest.raises(InputError, match="says nothing of the image"):
        invert(lambda x: 0 * x, image, np.array([120.0]))


def sounds(pixels: jax.Array) -> Mapping[str, Sound]:
    """A layer of two maps, and one above it at half the size."""
    first = jnp.einsum(
        "bhwc,cd->bhwd", pixels / 50 - 2, jnp.array([[1.0, -1.0], [0.5, 2], [-1, 1]])
    )
    second = first[:, ::2, ::2] * 1.5 + 0.1
    return {n: Sound(x, jax.nn.relu(x)) for n, x in (("first", first), ("second", second))}


@given(st.integers(0, 2**16))
def test_a_gram_matrix_does_not_know_where(seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps: Any = rng.standard_normal((1, 4, 5, 3))
    mixed: Any = rng.permutation(maps.reshape(20, 3)).reshape(maps.shape)
    np.testing.assert_allclose(gram(mixed), gram(maps), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["paper", "released"])
def test_the_style_of_an_image_to_itself_is_no_loss(form: str) -> None:
    task = Task(form, ("second",), ("first", "second"))  # type: ignore[arg-type]
    loss = jax.jit(loss_of(task, sounds, IMAGE, IMAGE))
    assert float(loss(jnp.asarray(IMAGE))) == pytest.approx(0, abs=1e-6)
    other = IMAGE[::-1, ::-1]
    assert float(loss(jnp.asarray(other))) > 1e-3, "the content is another"


def test_the_constants_of_both_forms() -> None:
    maps = jnp.asarray(RNG.standard_normal((1, 3, 4, 2)), jnp.float32)
    wanted = jnp.asarray(RNG.standard_normal((2, 2)), jnp.float32)
    squares = float(((gram(maps) - wanted) ** 2).sum())
    found = float(style_loss(maps, wanted, 12, "paper"))
    assert found == pytest.approx(squares / (4 * 2**2 * 12**2), rel=1e-5)
    found = float(style_loss(maps, wanted, 12, "released"))
    assert found == pytest.approx(1e3 / 2**2 * squares / 12**2 / 4, rel=1e-5)


def test_a_transfer_lowers_the_loss_and_stays_a_picture() -> None:
    style = RNG.uniform(0, 255, (5, 6, 3)).astype(np.float32)
    task = Task("released", ("second",), ("first",))
    found, losses = transfer(task, sounds, IMAGE, style, iterations=15)
    assert losses[-1] < losses[0] and found.min() >= 0 and found.max() <= 255


@pytest.mark.parametrize("how", ["cholesky", "pca", "symmetric"])
@pytest.mark.parametrize("channels", [1, 3])
def test_matched_colours_have_the_wanted_moments(how: str, channels: int) -> None:
    mix = 30 * np.eye(channels) + 5 * RNG.standard_normal((channels, channels))
    style = 128 + RNG.standard_normal((9, 8, channels)) @ mix
    content = IMAGE[..., :channels].astype(float)
    found = matched_colours(style, content, how)  # type: ignore[arg-type]
    pixels, wanted = (x.reshape(-1, channels) / 255 for x in (found, content))
    np.testing.assert_allclose(pixels.mean(0), wanted.mean(0), atol=1e-6)
    apart = np.cov(pixels.T, bias=True) - np.cov(wanted.T, bias=True)
    assert np.abs(apart).max() < 30 * EPSILON


def test_luminance_and_colours_come_apart_and_together_again() -> None:
    np.testing.assert_allclose(with_colours_of(IMAGE, IMAGE), IMAGE, atol=1e-3)
    grey = np.full((9, 7, 3), 100.0)
    coloured = 128 + (IMAGE - 128) / 4
    found = with_colours_of(grey, coloured)
    np.testing.assert_allclose(luminance(found), 100, atol=1e-3)
    np.testing.assert_allclose(
        found - coloured, (found - coloured)[..., :1].repeat(3, -1), atol=1e-3
    )
    style = matched_luminance(np.linspace(100, 140, 50).reshape(5, 10, 1), coloured)
    assert style.mean() == pytest.approx(luminance(coloured).mean(), abs=0.5)
    assert style.std() == pytest.approx(luminance(coloured).std(), abs=0.5)
