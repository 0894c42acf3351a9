import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.data.crops import Box, RandomResized, ShorterSide, Whole, draws
from cnn_jax.data.published_crops import CROPS

SIDES = st.integers(1, 3000)


@given(SIDES, SIDES, st.integers(0, 9), st.sampled_from(sorted({*CROPS} - {"padded"})))
def test_a_crop_lies_inside_the_image(height: int, width: int, position: int, name: str) -> None:
    crop = CROPS[name]()(draws(0, 1, position), height, width)
    box, window = crop.box, crop.window
    assert box.height > 0 and box.width > 0
    assert 0 <= box.top <= height - box.height and 0 <= box.left <= width - box.width
    assert 0 <= window.top <= crop.scaled[0] - window.height
    assert 0 <= window.left <= crop.scaled[1] - window.width
    size = CROPS[name]().size
    assert (window.height, window.width) == ((size, size) if size else (height, width))


def test_centre_crop_of_the_shorter_side() -> None:
    crop = ShorterSide(224, 256)(draws(0, 0, 0), 375, 500)
    assert crop.scaled == (256, 341)
    assert crop.window == Box(16, 58, 224, 224)


def test_areas_and_aspects_of_random_rectangles() -> None:
    boxes = [RandomResized()(draws(0, 0, i), 1000, 1000).box for i in range(4000)]
    areas = np.array([box.height * box.width for box in boxes]) / 1e6
    aspects = np.array([math.log(box.width / box.height) for box in boxes])
    assert 0.079 < areas.min() < 0.09 and areas.max() > 0.97
    assert abs(aspects.mean()) < 0.02
    assert np.abs(aspects).max() < math.log(4 / 3) + 0.01


def test_areas_of_squares_are_uniform() -> None:
    rule = RandomResized(narrowest=1.0, widest=1.0)
    areas = [rule(draws(0, 0, i), 1000, 1000).box.height ** 2 / 1e6 for i in range(4000)]
    np.testing.assert_allclose(np.quantile(areas, [0.25, 0.5, 0.75]), [0.31, 0.54, 0.77], atol=0.03)


def test_what_never_fits_is_cut_from_the_centre() -> None:
    box = RandomResized(smallest_area=1.0)(draws(0, 0, 0), 40, 6000).box
    assert box == Box(0, 2973, 40, 53)


def test_draws_are_keyed_by_seed_step_and_position() -> None:
    first = draws(3, 5, 7).random(4)
    np.testing.assert_array_equal(first, draws(3, 5, 7).random(4))
    for other in ((4, 5, 7), (3, 6, 7), (3, 5, 8)):
        assert not np.intersect1d(first, draws(*other).random(1000)).size


def test_draws_are_the_same_for_ever() -> None:
    """Golden values: others would silently make another run of the same config."""
    assert RandomResized()(draws(0, 0, 0), 375, 500).box == Box(121, 137, 198, 181)
    assert ShorterSide(position="random")(draws(0, 0, 1), 375, 500).window[:2] == (14, 81)


@pytest.mark.parametrize(("name", "random"), [("whole", False), ("random_resized", True)])
def test_rules_say_whether_they_draw(name: str, random: bool) -> None:
    assert CROPS[name]().random is random
    assert not ShorterSide().random and ShorterSide(position="random").random
    assert Whole().size is None
