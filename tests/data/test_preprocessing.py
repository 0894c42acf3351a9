import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.data import sources
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
