import json

import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.moments import moments_of
from cnn_jax.data.preprocessing import Preprocessing, preprocessing_for
from tests import configs


def test_standardise_gives_zero_mean_and_unit_deviation() -> None:
    dataset = sources.load(configs.make({"data.kwargs.channels": 3}).data)
    record = preprocessing_for(dataset, "standardise")
    out = np.asarray(record(jnp.asarray(dataset.train.images)), np.float64)
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 1, 2)), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("rule", "black", "white"), [("unit", 0.0, 1.0), ("lecun_1998", -0.1, 1.175)]
)
def test_fixed_scales(rule: str, black: float, white: float) -> None:
    record = preprocessing_for(sources.load(configs.make().data), rule)
    out = record(jnp.asarray([0, 255], jnp.uint8).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(np.asarray(out).ravel(), [black, white], atol=1e-6)


def test_record_survives_json() -> None:
    record = preprocessing_for(sources.load(configs.make().data), "standardise")
    assert Preprocessing.from_tree(record.to_tree()) == record


def test_low_precision_is_normalised_in_float32() -> None:
    record = Preprocessing(1, 1, 1, "bilinear", (0.5,), (0.001,), ("a",))
    image = jnp.full((1, 1, 1, 1), 128, jnp.uint8)
    assert record(image, jnp.bfloat16).dtype == jnp.bfloat16
    np.testing.assert_allclose(float(record(image, jnp.bfloat16)[0, 0, 0, 0]), 1.96, rtol=0.01)


def test_published_scales() -> None:
    dataset = sources.load(configs.make({"data.kwargs.channels": 3}).data)
    x = dataset.train.images.astype(np.float64)
    shown = lambda rule: np.asarray(preprocessing_for(dataset, rule)(jnp.asarray(x)), np.float64)
    np.testing.assert_allclose(shown("centred"), x / 255 - 0.5, atol=1e-6)
    np.testing.assert_allclose(shown("signed"), x / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(shown("channel_mean"), x - x.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(shown("mean_image"), x - x.mean(0), atol=1e-3)
    imagenet = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(shown("imagenet"), imagenet, atol=1e-5)


def test_mean_image_survives_json_and_keeps_its_size() -> None:
    record = preprocessing_for(sources.load(configs.make().data), "mean_image")
    again = Preprocessing.from_tree(json.loads(json.dumps(record.to_tree())))
    assert again == record and record.mean_image
    np.testing.assert_array_equal(again.centre, record.centre)
    with pytest.raises(InputError, match="a mean image of 32 x 32"):
        record(jnp.zeros((1, 40, 40, 1), jnp.uint8))


def test_records_of_before_have_no_mean_image() -> None:
    tree = preprocessing_for(sources.load(configs.make().data), "unit").to_tree()
    del tree["mean_image"]
    assert Preprocessing.from_tree(tree).centre == [0.0]


def test_moments_are_those_of_all_pixels() -> None:
    dataset = sources.load(configs.make({"data.kwargs.channels": 3}).data)
    moments, x = moments_of(dataset.train), dataset.train.images / 255
    np.testing.assert_allclose(moments.mean, x.mean((0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(moments.std, x.std((0, 1, 2)), atol=1e-12)


def test_imagenets_mean_needs_colours() -> None:
    with pytest.raises(InputError, match="not RGB"):
        preprocessing_for(sources.load(configs.make().data), "imagenet")
