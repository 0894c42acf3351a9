import numpy as np
import pytest
from PIL import Image

from cnn_jax.benchmark.photographs import photograph
from cnn_jax.data.crops import Box, Crop
from cnn_jax.data.resize import apply_crop, resize


def test_enlarging_agrees_with_pillow() -> None:
    image = photograph(0, 60, 80)
    theirs = Image.fromarray(image).resize((131, 97), Image.Resampling.BILINEAR)
    assert np.abs(resize(image, (97, 131)).astype(int) - np.asarray(theirs)).max() <= 1


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    image = photograph(1, 90, 120)
    means = image.reshape(30, 3, 40, 3, 3).mean((1, 3))
    assert np.abs(resize(image, (30, 40)) - means).max() <= 0.51


@pytest.mark.parametrize("size", [(20, 30), (224, 224), (60, 81), (40, 53), (7, 400)])
def test_any_size_keeps_the_mean_of_a_smooth_image(size: tuple[int, int]) -> None:
    y, x = np.mgrid[0:120, 0:160]
    image = np.stack([y, x, 200 - y], -1).astype(np.uint8)
    out = resize(image, size)
    assert out.shape == (*size, 3)
    np.testing.assert_allclose(out.mean((0, 1)), image.mean((0, 1)), atol=1.5)


def test_one_channel_is_resized_as_three() -> None:
    image = photograph(2, 50, 70)
    np.testing.assert_array_equal(
        resize(image[..., :1], (33, 44)), resize(image, (33, 44))[..., :1]
    )


def test_a_window_is_cut_after_resizing() -> None:
    image = photograph(3, 50, 70)
    crop = Crop(Box(0, 0, 50, 70), (64, 90), Box(5, 7, 32, 32))
    np.testing.assert_array_equal(apply_crop(image, crop), resize(image, (64, 90))[5:37, 7:39])
    box = Crop(Box(4, 6, 30, 40), (32, 32), Box(0, 0, 32, 32))
    out = np.empty((2, 32, 32, 3), np.uint8)
    apply_crop(image, box, out[1])
    np.testing.assert_array_equal(out[1], resize(image[4:34, 6:46], (32, 32)))
