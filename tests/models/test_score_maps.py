"""The head as convolutions against the head slid over the last maps, written in numpy."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.score_maps import score_maps

SMALL_VGG = {"width": 0.05, "convolutions": (1, 1, 1), "dropout_rate": 0.5}
CASES = [
    ("vgg", SMALL_VGG, 24, 3, ("fc6", "fc7", "fc8"), (24, 24)),
    ("vgg", SMALL_VGG, 24, 3, ("fc6", "fc7", "fc8"), (32, 40)),
    ("vgg", SMALL_VGG, 24, 3, ("fc6", "fc7", "fc8"), (47, 33)),
    ("vgg", SMALL_VGG | {"norm": "batch"}, 16, 2, ("fc6", "fc7", "fc8"), (40, 24)),
    ("alexnet", {"width": 0.02}, 99, 2, ("fc6", "fc7", "fc8"), (131, 195)),
]


def trained(name: str, kwargs: dict[str, Any], size: int) -> tuple[Any, Any]:
    """A network with random parameters and biases that are not zero."""
    model = models.build(name, num_classes=7, **kwargs)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    leaves, tree = jax.tree.flatten(shapes)
    rng = np.random.default_rng(0)
    draw = lambda s: rng.normal(0, 0.3 / max(1, np.prod(s.shape[:-1])) ** 0.3, s.shape)
    values = [
        jnp.asarray(np.abs(draw(s)) if len(s.shape) == 1 else draw(s), s.dtype) for s in leaves
    ]
    return model, jax.tree.unflatten(tree, values)


class ReachedError(Exception):
    """The head is reached: carries the maps."""


def last_maps(model: Any, variables: Any, images: jax.Array) -> np.ndarray:
    def stop(run: Any, arguments: Any, options: Any, context: Any) -> Any:
        if context.method_name == "flatten":
            raise ReachedError(arguments[0])
        return run(*arguments, **options)

    with pytest.raises(ReachedError) as reached, nn.intercept_methods(stop):
        model.apply(variables, images)
    return np.asarray(reached.value.args[0])


def slid(params: Any, maps: np.ndarray, side: int, names: tuple[str, ...]) -> np.ndarray:
    """The fully connected layers at each position of the maps, one position at a time."""
    rows = []
    for y in range(maps.shape[1] - side + 1):
        row = []
        for x in range(maps.shape[2] - side + 1):
            h = maps[:, y : y + side, x : x + side].reshape(len(maps), -1)
            for name in names:
                h = h @ np.asarray(params[name]["kernel"]) + np.asarray(params[name]["bias"])
                h = h if name == names[-1] else np.maximum(h, 0)
            row.append(h)
        rows.append(np.stack(row, axis=1))
    return np.stack(rows, axis=1)


@pytest.mark.parametrize(("name", "kwargs", "size", "side", "head", "shape"), CASES)
def test_scores_are_those_of_the_slid_head(
    name: str,
    kwargs: dict[str, Any],
    size: int,
    side: int,
    head: tuple[str, ...],
    shape: tuple[int, int],
) -> None:
    model, variables = trained(name, kwargs, size)
    images = jnp.asarray(np.random.default_rng(1).normal(size=(2, *shape, 3)), jnp.float32)
    found = np.asarray(score_maps(model, variables, images))
    maps = last_maps(model, variables, images)
    expected = slid(variables["params"], maps, side, head)
    assert found.shape == (2, maps.shape[1] - side + 1, maps.shape[2] - side + 1, 7)
    assert np.ptp(expected, axis=(1, 2)).max() > 1e-3 or found.shape[1:3] == (1, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_at_the_size_of_training_it_is_the_network() -> None:
    model, variables = trained("vgg", SMALL_VGG, 24)
    images = jnp.asarray(np.random.default_rng(1).normal(size=(2, 24, 24, 3)), jnp.float32)
    np.testing.assert_allclose(
        score_maps(model, variables, images)[:, 0, 0],
        model.apply(variables, images).logits,
        rtol=1e-5,
    )


def test_global_pooling_has_one_position() -> None:
    model, variables = trained("nin", {"width": 0.05}, 32)
    images = jnp.asarray(np.random.default_rng(1).normal(size=(2, 48, 40, 3)), jnp.float32)
    found = score_maps(model, variables, images)
    assert found.shape == (2, 1, 1, 7)
    np.testing.assert_array_equal(found[:, 0, 0], model.apply(variables, images).logits)


def test_too_small_images_are_refused() -> None:
    model, variables = trained("vgg", SMALL_VGG, 24)
    with pytest.raises(InputError, match="fc6 was trained on maps of 3 x 3, these are 2 x 3"):
        score_maps(model, variables, jnp.zeros((1, 16, 24, 3)))
