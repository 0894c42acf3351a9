"""The published crops against numpy written from the papers, and the pixels that they take."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.data.array_records import ArrayRecords
from cnn_jax.data.cropping import rule_of
from cnn_jax.data.crops import Box, RandomResized, ShorterSide, draws
from cnn_jax.data.published_crops import CentralSquare, Padded, RandomSized2016, ScaleJitter
from cnn_jax.data.records import Request
from cnn_jax.data.resize import apply_crop
from cnn_jax.data.streams import Reading, whole_split
from cnn_jax.evaluation.protocols import centre
from cnn_jax.evaluation.views import views_of
from tests import configs

SIZES = [(375, 500), (500, 375), (256, 256), (300, 2000), (1000, 257)]


class Numbers:
    """The draws of an example, one after another, as plain numbers."""

    def __init__(self, position: int):
        self._rng = draws(0, 3, position)

    def uniform(self, low: float, high: float) -> float:
        return float(low + (high - low) * self._rng.random())

    def below(self, end: int) -> int:
        return math.floor(self._rng.random() * end)


def scaled_sides(height: int, width: int, side: int) -> tuple[int, int]:
    if height <= width:
        return side, int(np.rint(width * side / height))
    return int(np.rint(height * side / width)), side


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("size", [224, 227])
def test_alexnet(height: int, width: int, size: int) -> None:
    """Rescale, cut the central 256 x 256 out as an array, then a patch of that."""
    rows, columns = scaled_sides(height, width, 256)
    grid = np.stack(np.mgrid[0:rows, 0:columns], axis=-1)
    top, left = (rows - 256) // 2, (columns - 256) // 2
    square = grid[top : top + 256, left : left + 256]
    assert square.shape == (256, 256, 2)
    for position in range(20):
        numbers = Numbers(position)
        y, x = numbers.below(257 - size), numbers.below(257 - size)
        patch = square[y : y + size, x : x + size]
        crop = CentralSquare(size)(draws(0, 3, position), height, width)
        window = crop.window
        assert crop.box == (0, 0, height, width) and crop.scaled == (rows, columns)
        taken = grid[window.top :, window.left :][: window.height, : window.width]
        np.testing.assert_array_equal(taken, patch)
    centre = CentralSquare(224, position="centre")(draws(0, 0, 0), height, width).window
    assert centre == Box(top + 16, left + 16, 224, 224)


def test_alexnet_reaches_every_corner_of_the_square() -> None:
    windows = [CentralSquare()(draws(0, 0, i), 256, 256).window for i in range(3000)]
    for side in (0, 1):
        assert {window[side] for window in windows} == set(range(33))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_vgg_scale_jitter(height: int, width: int) -> None:
    for position in range(20):
        numbers = Numbers(position)
        rows, columns = scaled_sides(height, width, 256 + numbers.below(257))
        y, x = numbers.below(rows - 223), numbers.below(columns - 223)
        crop = ScaleJitter()(draws(0, 3, position), height, width)
        assert crop == ((0, 0, height, width), (rows, columns), (y, x, 224, 224))


def test_vgg_scales_are_uniform_and_include_both_ends() -> None:
    sides = [min(ScaleJitter()(draws(0, 0, i), 400, 600).scaled) for i in range(6000)]
    assert (min(sides), max(sides)) == (256, 512)
    np.testing.assert_allclose(np.quantile(sides, [0.25, 0.5, 0.75]), [320, 384, 448], atol=7)
    single = ScaleJitter(smallest_side=384, largest_side=384)
    assert {min(single(draws(0, 0, i), 400, 600).scaled) for i in range(20)} == {384}


@pytest.mark.parametrize(("height", "width"), [(375, 500), (40, 6000), (1, 1)])
def test_inception(height: int, width: int) -> None:
    for position in range(30):
        numbers = Numbers(position)
        for _ in range(10):
            area = numbers.uniform(0.08, 1.0) * height * width
            aspect = np.exp(numbers.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = int(np.rint(np.sqrt(area * aspect))), int(np.rint(np.sqrt(area / aspect)))
            if 0 < w <= width and 0 < h <= height:
                y, x = numbers.below(height - h + 1), numbers.below(width - w + 1)
                break
        else:
            h, w = (
                min(height, int(np.rint(width * 4 / 3))),
                min(width, int(np.rint(height * 4 / 3))),
            )
            y, x = (height - h) // 2, (width - w) // 2
        crop = RandomResized()(draws(0, 3, position), height, width)
        assert crop == ((y, x, h, w), (224, 224), (0, 0, 224, 224))


@pytest.mark.parametrize(("height", "width"), [(375, 500), (40, 6000)])
def test_fb_resnet(height: int, width: int) -> None:
    fallbacks = 0
    for position in range(30):
        numbers = Numbers(position)
        expected: tuple[tuple[int, ...], ...] | None = None
        for _ in range(10):
            area = numbers.uniform(0.08, 1.0) * height * width
            aspect = numbers.uniform(3 / 4, 4 / 3)
            w, h = int(np.rint(np.sqrt(area * aspect))), int(np.rint(np.sqrt(area / aspect)))
            if numbers.uniform(0, 1) < 0.5:
                w, h = h, w
            if h <= height and w <= width:
                y, x = numbers.below(height - h + 1), numbers.below(width - w + 1)
                expected = (y, x, h, w), (224, 224), (0, 0, 224, 224)
                break
        if expected is None:
            fallbacks += 1
            rows, columns = scaled_sides(height, width, 224)
            middle = ((rows - 224) // 2, (columns - 224) // 2, 224, 224)
            expected = (0, 0, height, width), (rows, columns), middle
        assert RandomSized2016()(draws(0, 3, position), height, width) == expected
    assert (fallbacks > 0) == (height == 40)


def test_pixels_of_a_crop_are_those_of_the_resized_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    crop = CentralSquare(20, 32)(draws(0, 0, 1), 60, 90)
    whole = apply_crop(image, ShorterSide(32, 32)(draws(0, 0, 0), 60, 90))  # the central square
    y, x = crop.window.top, crop.window.left - (48 - 32) // 2
    np.testing.assert_array_equal(apply_crop(image, crop), whole[y : y + 20, x : x + 20])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.sampled_from([1, 3]))
def test_padded_is_the_image_in_the_middle_of_black(
    height: int, width: int, margin: int, channels: int
) -> None:
    """LeCun et al. 1998, section II.B, against numpy's padding."""
    image = np.random.default_rng(0).integers(1, 255, (height, width, channels), np.uint8)
    size = max(height, width) + margin
    crop = Padded(size)(draws(0, 0, 0), height, width)
    free = [(side // 2, side - side // 2) for side in (size - height, size - width)]
    padded = apply_crop(image, crop)
    np.testing.assert_array_equal(padded, np.pad(image, [*free, (0, 0)]))
    out = np.full((2, size, size, channels), 7, np.uint8)
    apply_crop(image, crop, out[1])
    np.testing.assert_array_equal(out[1], padded)
    assert (out[0] == 7).all()


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["bilinear", "area"]))
def test_padded_takes_any_size_with_a_longer_side(height: int, width: int, word: str) -> None:
    image = np.full((height, width, 1), 200, np.uint8)
    out = apply_crop(image, Padded(32, 28)(draws(0, 0, 0), height, width), None, word)
    rows, columns = np.nonzero(out[..., 0])
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert out.shape == (32, 32, 1) and max(sides) == 28
    assert abs(min(sides) - 28 * min(height, width) / max(height, width)) < 1
    assert (out[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == 200).all()


def test_padded_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="33 x 20 pixels do not fit into the square of size = 32"):
        Padded()(draws(0, 0, 0), 20, 33)
    config = configs.make({"test_crop.name": "padded", "test_crop.kwargs": {"longer_side": 40}})
    with pytest.raises(InputError, match="40 x 40 pixels do not fit"):
        rule_of(config.test_crop)
    config = configs.make({"test_crop.name": "padded", "test_crop.kwargs": {"longer_side": 28}})
    assert rule_of(config.test_crop) == Padded(32, 28)
    records = ArrayRecords(np.zeros((2, 9, 9, 1), np.uint8), np.arange(2), "small")
    reading = Reading(test_rule=Padded(8))
    split = replace(whole_split(records), image_shape=(8, 8, 1), reading=reading)
    with pytest.raises(InputError, match=r"small.*9 x 9 pixels do not fit"):
        next(split.batches([Request(np.arange(2))]))


def test_views_of_a_padded_image_are_padded() -> None:
    records = ArrayRecords(np.full((1, 4, 6, 1), 9, np.uint8), np.zeros(1, np.int64), "small")
    protocol = centre(Padded(8), 8)
    (seen,) = views_of(whole_split(records), protocol, 0, skip=False)
    assert seen.views is not None
    np.testing.assert_array_equal(
        seen.views[0], np.pad(np.full((4, 6, 1), 9), [(2, 2), (1, 1), (0, 0)])
    )


def test_more_than_there_is_cannot_be_cut_out() -> None:
    config = configs.make({"train_crop.name": "central_square", "train_crop.kwargs": {"side": 128}})
    with pytest.raises(InputError, match="size = 224 is larger than the resized image"):
        rule_of(config.train_crop)
