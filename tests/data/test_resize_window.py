"""The window alone against the window of the whole, and what either may cost."""

import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.data import resize as resizing
from cnn_jax.data.crops import Box, Crop, draws
from cnn_jax.data.published_crops import CROPS
from cnn_jax.data.resize import apply_crop, is_far_larger, resize, resized_window
from cnn_jax.evaluation.protocols import PROTOCOLS, protocol_of
from cnn_jax.evaluation.views import LARGEST_VIEW, _cut

SIDE = st.integers(1, 150)
LONG = st.integers(1, 60_000)
RULE = CROPS["shorter_side"](64, 72)
OF_ANY_SIZE = sorted(set(CROPS) - {"padded"})  # that one refuses what its square does not hold


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    h, w = draw(st.integers(1, height)), draw(st.integers(1, width))
    top, left = draw(st.integers(0, height - h)), draw(st.integers(0, width - w))
    return (height, width), Box(top, left, h, w)


@given(SIDE, SIDE, st.sampled_from((1, 3)), windows(), st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_a_window_alone_has_the_pixels_of_the_whole(
    height: int, width: int, channels: int, window: tuple[tuple[int, int], Box], seed: int
) -> None:
    """Bit for bit, whatever shrinks or grows, at the borders too."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    size, (top, left, h, w) = window
    whole = resize(image, size)[top : top + h, left : left + w]
    np.testing.assert_array_equal(resized_window(image, size, window[1]), whole)


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (3, 700), (2, 2)])
def test_on_both_sides_of_the_bound_the_pixels_are_the_same(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for position in range(4):
        for rule in (RULE, CROPS["scale_jitter"](24, 24, 48), CROPS["random_sized_2016"](48)):
            crop = rule(draws(0, 1, position), *shape)
            monkeypatch.setattr(resizing, "MADE_WHOLE", 0)
            monkeypatch.setattr(resizing, "TIMES_ITS_WINDOW", 0)
            alone = apply_crop(image, crop)
            monkeypatch.setattr(resizing, "TIMES_ITS_WINDOW", 10**9)
            np.testing.assert_array_equal(alone, apply_crop(image, crop))


def test_photographs_are_resized_as_ever() -> None:
    for name in OF_ANY_SIZE:
        for height, width in ((375, 500), (500, 375), (3000, 4000), (256, 1024)):
            assert not is_far_larger(CROPS[name]()(draws(0, 0, 0), height, width))


def peak_of(make: Callable[[], list[np.ndarray]]) -> tuple[list[np.ndarray], int]:
    """What a call makes, and the most bytes it holds; what fails leaves no tracing behind."""
    tracemalloc.start()
    try:
        return make(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Counted:
    """cv2, of which the pixels that it makes are counted."""

    def __init__(self) -> None:
        self.most = 0

    def __getattr__(self, name: str) -> object:
        return getattr(cv2, name)

    def resize(self, image: np.ndarray, size: tuple[int, int], **others: object) -> np.ndarray:
        self.most = max(self.most, size[0] * size[1])
        return np.asarray(cv2.resize(image, size, **others))


@given(LONG, LONG, st.sampled_from(OF_ANY_SIZE), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_crop_costs_what_it_takes(height: int, width: int, name: str, position: int) -> None:
    """Of any aspect: no more than a photograph, the image itself and a few times the output."""
    if height * width > 2_000_000:
        height = max(1, 2_000_000 // width)
    image = np.zeros((height, width, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        counted = Counted()
        patch.setattr(resizing, "cv2", counted)
        crop = CROPS[name]()(draws(0, 1, position), height, width)
        (out,), peak = peak_of(lambda: [apply_crop(image, crop)])
    window = out.shape[0] * out.shape[1]
    assert counted.most <= max(resizing.MADE_WHOLE, 4 * window, height * width)
    assert peak <= 3 * max(resizing.MADE_WHOLE, 4 * window) + 40 * window + image.nbytes


@pytest.mark.parametrize("name", sorted(set(PROTOCOLS) - {"dense"}))
@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (7, 50_000)])
def test_views_of_a_line_cost_what_they_show(name: str, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    arguments = {} if name == "centre" else {"shorter_side": 72} if "10" in name else {"scales": 72}
    views, peak = peak_of(lambda: list(_cut(image, protocol_of(name, arguments, RULE, 64))))
    assert {view.shape for view in views} == {(64, 64, 3)}
    assert peak < 3 * resizing.MADE_WHOLE + 100 * sum(view.size for view in views)


def test_a_view_as_large_as_the_aspect_makes_it_is_refused() -> None:
    dense = protocol_of("dense", {"scales": 256}, RULE, 64)
    with pytest.raises(
        Exception, match=f"20000 x 1 pixels .* 5120000 x 256: more than {LARGEST_VIEW:,}"
    ):
        _cut(np.zeros((1, 20_000, 3), np.uint8), dense)
    assert _cut(np.zeros((10, 100, 3), np.uint8), dense)[0].shape == (256, 2560, 3)


def test_a_window_beyond_what_an_integer_of_32_bits_counts() -> None:
    image = np.zeros((1, 1_000_000, 3), np.uint8)
    image[:, 500_000:] = 200
    window = Box(0, 127_999_000, 256, 2000)
    out = apply_crop(image, Crop(Box(0, 0, 1, 1_000_000), (256, 256_000_000), window))
    assert out[:, :800].max() == 0 and out[:, 1200:].min() == 200
