"""A network runs as far as its named layers need, on images of any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.features import features
from cnn_jax.models.listening import audible, hear

SIZE = (16, 16, 3)


@pytest.fixture(scope="module")
def net() -> tuple[models.Network, dict]:
    model = models.build("convnet", num_classes=4, filters=(3, 5), pools=(2, 2))
    return model, model.init(jax.random.key(0), jnp.zeros((1, *SIZE)))


def test_they_are_what_is_heard(net: tuple[models.Network, dict]) -> None:
    images = jax.random.normal(jax.random.key(1), (2, *SIZE))
    names = ["conv1", "conv2"]
    found, heard = features(*net, images, names), hear(*net, images, names).sounds
    for name in names:
        np.testing.assert_array_equal(found[name].before, heard[name].before)
        np.testing.assert_array_equal(found[name].after, heard[name].after)
        assert (np.asarray(found[name].after) >= 0).all()


def test_another_size_reaches_what_stands_before_the_dense_layers(
    net: tuple[models.Network, dict],
) -> None:
    larger = jnp.ones((1, 27, 21, 3))
    whole = features(*net, larger, ["conv2"])["conv2"].after
    assert (
        whole.shape[1:3]
        == features(*net, larger, ["conv2"], average_pooling=True)["conv2"].after.shape[1:3]
    )
    with pytest.raises(InputError, match="images of 27x21 pixels"):
        features(*net, larger, [list(audible(*net, jnp.ones((1, *SIZE))))[-1]])


def test_averages_stand_in_for_maxima(net: tuple[models.Network, dict]) -> None:
    images = jax.random.normal(jax.random.key(1), (1, *SIZE))
    maxima, means = (
        features(*net, images, ["conv2"], average_pooling=a)["conv2"].before for a in (False, True)
    )
    assert not np.allclose(maxima, means)
    flat = jnp.ones((1, *SIZE))
    inner = [
        features(*net, flat, ["conv2"], average_pooling=a)["conv2"].before[:, 3:5, 3:5]
        for a in (False, True)
    ]
    np.testing.assert_allclose(*inner, rtol=1e-5)


def test_a_layer_that_is_none_is_named_with_the_nearest(net: tuple[models.Network, dict]) -> None:
    with pytest.raises(InputError, match="no layer 'convv2'.*conv2"):
        features(*net, jnp.ones((1, *SIZE)), ["convv2"])
