"""SPP-net and the nets under it: features of one length, from images of any size."""

from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import layer_table

BINS = 50


def build(name: str, **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=10, **{"width": 0.02, **kwargs})


def outputs(model: models.Network, height: int, width: int) -> dict[str, tuple[int, ...]]:
    return {row.name: row.output for row in layer_table(model, (height, width, 3))}


@pytest.mark.parametrize(
    ("variant", "place", "maps"), [("zf5", "spp5", 256), ("overfeat7", "spp7", 512)]
)
def test_length_of_the_features_is_that_of_any_image(variant: str, place: str, maps: int) -> None:
    model = build("spp", variant=variant, width=1.0)
    for size in ((36, 36), (180, 180), (224, 224), (90, 131)):
        assert outputs(model, *size)[place] == (BINS * maps,), size


def test_one_net_serves_images_of_several_sizes() -> None:
    model = build("spp", variant="overfeat7")
    variables = init_variables(model, jax.random.key(0), (1, 32, 32, 3), train=False)
    image = jax.random.normal(jax.random.key(1), (1, 40, 48, 3))
    forward = jax.jit(lambda images: model.apply(variables, images).logits)
    small, large = forward(image[:, :32, :32]), forward(image)
    assert small.shape == large.shape == (1, 10)
    assert not np.allclose(small, large, rtol=1e-3, atol=0)


def test_biases_of_zf5_are_those_of_the_authors_file() -> None:
    model = build("spp", levels=(1,))
    params = init_variables(model, jax.random.key(0), (1, 36, 36, 3), train=False)["params"]
    zeros = {name for name, leaves in params.items() if not leaves["bias"].any()}
    assert zeros == {"conv1", "conv3"}
    assert {float(b) for name in params.keys() - zeros for b in params[name]["bias"]} == {1.0}


def test_levels_of_the_pyramid() -> None:
    assert outputs(build("spp", levels=(4, 3, 2, 1), width=1.0), 64, 64)["spp5"] == (30 * 256,)


@pytest.mark.parametrize("name", ["zfnet", "spp"])
def test_contrast_norm_stands_behind_pooling(name: str) -> None:
    names = list(outputs(build(name), 64, 64))
    assert names[:6] == ["conv1", "pool1", "contrast_norm1", "conv2", "pool2", "contrast_norm2"]


@pytest.mark.parametrize(("variant", "under"), [("zf5", "zfnet"), ("overfeat7", "overfeat")])
def test_convolutions_are_those_of_the_net_under_the_pyramid(variant: str, under: str) -> None:
    tables = [
        layer_table(net, (64, 64, 3)) for net in (build("spp", variant=variant), build(under))
    ]
    spatial = [[row for row in rows if len(row.output) == 3] for rows in tables]
    # The last pooling is what the pyramid replaces.
    assert spatial[0] == spatial[1][:-1]
    assert spatial[1][-1].kind == "max_pool"
