"""Every filter against its own library, and torchvision's geometry against its formula."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.data import sources
from cnn_jax.data.crops import Box, Crop, ShorterSide, draws
from cnn_jax.data.image_files import load_image
from cnn_jax.data.interpolation import PILLOW
from cnn_jax.data.preprocessing import preprocessing_for
from cnn_jax.data.published_crops import TorchvisionCentre
from cnn_jax.data.records import Request
from cnn_jax.data.resize import apply_crop, resize, resize_by
from tests import configs

SIDES = st.integers(1, 60)
NO_DRAWS = draws(0, 0, 0)


def image_of(height: int, width: int, channels: int) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(height * 64 + width))
    return generator.integers(0, 256, (height, width, channels), np.uint8)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([1, 3]), st.sampled_from(sorted(PILLOW)))
def test_antialiased_is_pillows_to_the_bit(
    height: int, width: int, h: int, w: int, channels: int, word: str
) -> None:
    image = image_of(height, width, channels)
    found = resize_by(image, (h, w), word)
    one = Image.fromarray(image[..., 0] if channels == 1 else image)
    expected = np.asarray(one.resize((w, h), PILLOW[word])).reshape(h, w, channels)
    np.testing.assert_array_equal(found, expected)
    if h > 2 and w > 2:
        window = Box(1, 1, h - 2, w - 2)
        part = apply_crop(image, Crop(Box(0, 0, height, width), (h, w), window), None, word)
        np.testing.assert_array_equal(part, expected[1:-1, 1:-1])


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([1, 3]))
def test_area_is_opencvs_where_both_sides_shrink(
    height: int, width: int, h: int, w: int, channels: int
) -> None:
    image = image_of(height, width, channels)
    found = resize_by(image, (h, w), "area")
    if h <= height and w <= width:
        expected = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(found, expected.reshape(h, w, channels))
    else:
        np.testing.assert_array_equal(found, resize(image, (h, w)))
    np.testing.assert_array_equal(resize_by(image, (h, w), "bilinear"), resize(image, (h, w)))


def test_a_window_of_a_line_costs_the_window() -> None:
    line = image_of(1, 20_000, 3)
    crop = ShorterSide(32, 64)(NO_DRAWS, 1, 20_000)
    for word in PILLOW:
        assert apply_crop(line, crop, None, word).shape == (32, 32, 3)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 300), st.integers(0, 60))
def test_torchvisions_geometry(height: int, width: int, size: int, more: int) -> None:
    crop = TorchvisionCentre(size, size + more)(NO_DRAWS, height, width)
    short, long = min(height, width), max(height, width)
    scaled = sorted([size + more, int((size + more) * long / short)])
    assert sorted(crop.scaled) == scaled
    assert (crop.scaled[0] <= crop.scaled[1]) == (height <= width) or scaled[0] == scaled[1]
    assert crop.window[:2] == tuple(round((side - size) / 2.0) for side in crop.scaled)


def write(root: Path) -> Path:
    for split in ("train", "test"):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
            for number in range(3):
                Image.fromarray(image_of(50 + number, 61, 3)).save(
                    root / split / label / f"{number}.png"
                )
    return root


@pytest.mark.parametrize("word", ["bilinear", "area", *PILLOW])
def test_training_evaluation_and_prediction_resize_alike(word: str, tmp_path: Path) -> None:
    crop = {"name": "torchvision_centre", "kwargs": {"size": 24, "shorter_side": 28}}
    keys: dict[str, Any] = {"data.source": "folder", "data.kwargs": {}, "data.resize": word}
    keys |= {"data.directory": str(write(tmp_path)), "data.validation_folds": 0}
    keys |= {"data.workers": 0, "data.resident_megabytes": 0.0}
    keys |= {f"{split}_crop.{key}": crop[key] for split in ("train", "test") for key in crop}
    config = configs.make(keys)
    made = sources.dataset_for(config)
    rule = TorchvisionCentre(24, 28)
    record = preprocessing_for(made, "unit", word)
    assert record.resize == word
    for train in (True, False):
        images = next(made.train.batches([Request(np.arange(2))], train)).images
        for row in range(2):
            path = tmp_path / made.train.name(row)
            np.testing.assert_array_equal(images[row], load_image(path, record, rule))
            pixels = np.asarray(Image.open(path))
            expected = apply_crop(pixels, rule(NO_DRAWS, *pixels.shape[:2]), None, word)
            np.testing.assert_array_equal(images[row], expected)


def test_the_filter_of_before_leaves_the_hash_of_before() -> None:
    tree = to_tree(configs.make())
    before = config_hash(tree)
    del tree["data"]["resize"]
    assert config_hash(tree) == before
    assert config_hash(to_tree(configs.make({"data.resize": "area"}))) != before
