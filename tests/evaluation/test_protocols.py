"""The views of every protocol against arrays cut by hand."""

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import Crop, RandomResized, ShorterSide
from cnn_jax.evaluation.protocols import Protocol, protocol_of

SIZES = [(375, 500), (500, 375), (256, 256), (333, 1000)]
RULE = ShorterSide(224, 256)


def protocol(name: str, size: int = 224, **arguments: object) -> Protocol:
    return protocol_of(name, arguments, RULE, size)


def pixel_numbers(height: int, width: int, side: int) -> np.ndarray:
    """An image resized to a shorter side, of which each pixel is its own number."""
    scale = side / min(height, width)
    rows, columns = int(np.rint(height * scale)), int(np.rint(width * scale))
    return np.arange(rows * columns).reshape(rows, columns)


def patch_of(crop: Crop, resized: np.ndarray, height: int, width: int) -> np.ndarray:
    assert crop.box == (0, 0, height, width) and crop.scaled == resized.shape
    top, left, h, w = crop.window
    return resized[top : top + h, left : left + w]


def five_patches(area: np.ndarray, size: int) -> list[np.ndarray]:
    rows, columns = ((length - size) // 2 for length in area.shape)
    return [
        area[:size, :size],
        area[:size, -size:],
        area[-size:, :size],
        area[-size:, -size:],
        area[rows : rows + size, columns : columns + size],
    ]


def three_squares(resized: np.ndarray) -> list[np.ndarray]:
    """Left, central and right; top, central and bottom of an upright image."""
    side, longer = min(resized.shape), max(resized.shape)
    middle = (longer - side) // 2
    cut = [slice(0, side), slice(middle, middle + side), slice(longer - side, longer)]
    wide = resized.shape[1] > resized.shape[0]
    return [resized[:, part] if wide else resized[part] for part in cut]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("whole", [False, True])
def test_ten_crops(height: int, width: int, whole: bool) -> None:
    found = protocol("10_crop", whole=whole)
    resized = pixel_numbers(height, width, 256)
    area = resized if whole else three_squares(resized)[1]
    crops = found.crops(height, width)
    assert found.mirrored and len(crops) == 5
    for crop, expected in zip(crops, five_patches(area, 224), strict=True):
        np.testing.assert_array_equal(patch_of(crop, resized, height, width), expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_144_crops(height: int, width: int) -> None:
    found = protocol("144_crop")
    crops = iter(found.crops(height, width))
    original = np.arange(height * width).reshape(height, width)
    seen = 0
    for side in (256, 288, 320, 352):
        resized = pixel_numbers(height, width, side)
        for square, whole in zip(three_squares(resized), three_squares(original), strict=True):
            for expected in five_patches(square, 224):
                crop = next(crops)
                np.testing.assert_array_equal(patch_of(crop, resized, height, width), expected)
            last = next(crops)
            top, left, h, w = last.box
            np.testing.assert_array_equal(original[top : top + h, left : left + w], whole)
            assert last.scaled == (224, 224) and last.window == (0, 0, 224, 224)
            seen += 6
    assert next(crops, None) is None
    assert found.mirrored and 2 * seen == 144


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_grid(height: int, width: int) -> None:
    found = protocol("grid")
    crops = iter(found.crops(height, width))
    for side in (256, 384, 512):
        resized = pixel_numbers(height, width, side)
        rows, columns = (
            np.rint(np.linspace(0, length - 224, 5)).astype(int) for length in resized.shape
        )
        for y in rows:
            for x in columns:
                patch = patch_of(next(crops), resized, height, width)
                np.testing.assert_array_equal(patch, resized[y : y + 224, x : x + 224])
    assert next(crops, None) is None
    assert found.mirrored and 2 * len(found.crops(height, width)) == 150


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_dense_shows_all_of_the_image(height: int, width: int) -> None:
    found = protocol("dense", scales=(256, 384))
    assert found.dense and found.mirrored
    for crop, side in zip(found.crops(height, width), (256, 384), strict=True):
        resized = pixel_numbers(height, width, side)
        np.testing.assert_array_equal(patch_of(crop, resized, height, width), resized)
    (rounded,) = protocol("dense", multiple_of=32).crops(height, width)
    exact = pixel_numbers(height, width, 256).shape
    assert all(side % 32 == 0 for side in rounded.scaled)
    assert max(abs(a - b) for a, b in zip(rounded.scaled, exact, strict=True)) <= 16


def test_centre_is_the_crop_of_the_config() -> None:
    found = protocol("centre")
    assert not found.mirrored and not found.dense
    assert found.crops(375, 500) == [((0, 0, 375, 500), (256, 341), (16, 58, 224, 224))]
    with pytest.raises(InputError, match="draws at random"):
        protocol_of("centre", {}, RandomResized(), 224)


def test_bad_words_are_named() -> None:
    with pytest.raises(InputError, match="11_crop is unknown.*10_crop"):
        protocol("11_crop")
    with pytest.raises(InputError, match=r"shorter is not an argument of 10_crop.*shorter_side"):
        protocol("10_crop", shorter=300)
    with pytest.raises(InputError, match="at least the 299 pixels"):
        protocol("10_crop", size=299)
    with pytest.raises(InputError, match="int or a tuple of int is needed"):
        protocol("dense", scales="256")
    assert len(protocol("dense", scales=288).crops(300, 400)) == 1
