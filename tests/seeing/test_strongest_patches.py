"""The strongest units are found, and their patches are exactly what they depend on."""

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.data.dataset import Split
from cnn_jax.evaluation.exact import padded_batches
from cnn_jax.models.receptive_field import Box
from cnn_jax.seeing.shades import GREY
from cnn_jax.seeing.strongest_patches import (
    Excited,
    Sender,
    box_of,
    cropped,
    images_of,
    strongest_units,
)
from tests.seeing.subjects import image, subject

SIZE, LAYER = 13, "conv2"
KWARGS = {"filters": (3, 4), "pools": (2, 0), "kernel_size": 3, "pad": 0}


def test_the_strongest_are_the_strongest_and_stand_where_they_are_said_to() -> None:
    one = subject("convnet", SIZE, **KWARGS)
    images = np.stack([image(SIZE, seed=i) for i in range(11)])
    split = Split(images, np.arange(11, dtype=np.int32) % 4)
    found = strongest_units(one, LAYER, padded_batches(split, 4), count=3)
    pixels = jnp.asarray(images, jnp.float32)
    said = np.asarray(jax.jit(lambda x: one.listen(x, [LAYER])[1][LAYER].after)(pixels))
    largest = said.max((1, 2))
    for number, units in enumerate(found):
        assert [u.value for u in units] == sorted(largest[:, number], reverse=True)[:3]
        assert len({unit.example for unit in units}) == 3, "one an image"
        for unit in units:
            assert said[unit.example, unit.row, unit.column, number] == unit.value
    unit = max((unit for units in found for unit in units), key=lambda unit: unit.value)
    seen = images_of(split, [unit.example])[unit.example]
    assert (seen[0] == images[unit.example]).all() and seen[1] == unit.example % 4

    # What is sent back stays inside the patch, and the patch alone decides what the unit says.
    value, signal = Sender(one, LAYER, "gradient", False)(seen[0], unit)
    np.testing.assert_allclose(value, unit.value, rtol=1e-5)
    box = box_of(one.field(LAYER), unit, one.image_shape)
    assert (box.bottom - box.top, box.right - box.left) == (8, 8)
    outside = np.ones((SIZE, SIZE), bool)
    outside[box.top : box.bottom, box.left : box.right] = False
    assert (signal[outside] == 0).all() and (signal != 0).any()
    other = np.where(outside[..., None], image(SIZE, seed=99), seen[0])
    again, _ = Sender(one, LAYER, "gradient", False)(other, unit)
    np.testing.assert_allclose(again, value, rtol=1e-5)


def test_patches_beyond_the_image_are_grey() -> None:
    picture = image(4)
    part = cropped(picture, Box(-1, 2, 2, 6))
    assert part.shape == (3, 4, 3)
    assert (part[1:, :2] == picture[:2, 2:]).all()
    assert (part[0] == GREY).all() and (part[:, 2:] == GREY).all()
    assert (cropped(picture, Box(0, 0, 4, 4)) == picture).all()


def test_a_unit_that_sees_no_less_than_the_image() -> None:
    one = subject(
        "convnet", 6, **(KWARGS | {"hidden_layers": (5,), "filters": (3,), "pools": (2,)})
    )
    assert box_of(one.field("fc1"), Excited(0, 0, 0, 0, 1.0), (6, 6)) == Box(0, 0, 6, 6)
