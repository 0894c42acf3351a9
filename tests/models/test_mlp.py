"""The perceptron's dropout on the pixels, and the maxout network's units."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models


def build(name: str, **kwargs: Any) -> Any:
    return models.build(name, num_classes=10, dtype="float64", **kwargs)


@pytest.mark.parametrize(
    ("rate", "pixels", "hidden"),
    [("published", 0.0, 0.0), (0.4, 0.0, 0.4), ({"input": 0.2}, 0.2, 0.0), (0.0, 0.0, 0.0)],
)
def test_one_rate_for_all_leaves_the_pixels_alone(rate: Any, pixels: float, hidden: float) -> None:
    rates = build("mlp", dropout_rate=rate).dropout_rates()
    assert (rates.pop("input"), set(rates.values())) == (pixels, {hidden})


def test_dropped_pixels_are_those_of_a_fifth_of_the_image() -> None:
    """Against the product with what is left of the pixels, scaled by what is kept."""
    with jax.enable_x64(True):
        model = build("mlp", layers=(), dropout_rate={"input": 0.2})
        images = jnp.ones((3, 20, 20, 1))
        variables = model.init(jax.random.key(0), images)
        kernel = jnp.zeros((400, 10)).at[:, 0].set(1.0)  # the first logit counts the pixels
        variables = {"params": {"logits": {**variables["params"]["logits"], "kernel": kernel}}}
        rngs = {"dropout": jax.random.key(1)}
        kept = model.apply(variables, images, train=True, rngs=rngs).logits[:, 0] * 0.8
        np.testing.assert_allclose(kept, np.round(kept), atol=1e-9)
        assert np.all((kept > 280) & (kept < 360)) and len(set(kept.tolist())) > 1
        np.testing.assert_allclose(model.apply(variables, images).logits[:, 0], 400)


@pytest.mark.parametrize("pieces", [1, 3, 5])
def test_a_maxout_unit_is_the_largest_of_its_pieces(pieces: int) -> None:
    with jax.enable_x64(True):
        model = build("maxout_mlp", layers=(4,), pieces=pieces, kernel_init="gaussian(std=1.0)")
        images = np.random.default_rng(0).normal(size=(2, 3, 3, 1))
        variables = model.init(jax.random.key(0), images)
        layers = jax.tree.map(np.asarray, variables["params"])
        linear = images.reshape(2, 9) @ layers["fc1"]["kernel"] + layers["fc1"]["bias"]
        units = np.stack([linear[:, u * pieces : (u + 1) * pieces].max(1) for u in range(4)], 1)
        logits = units @ layers["logits"]["kernel"] + layers["logits"]["bias"]
        np.testing.assert_allclose(model.apply(variables, images).logits, logits, rtol=1e-12)
