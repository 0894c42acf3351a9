"""Receptive fields against the published ones, and against what the program depends on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.layers import formulation
from cnn_jax.models.layer_table import layer_table
from cnn_jax.models.listening import hear
from cnn_jax.models.receptive_field import Field, union
from tests.models.hulls import Hull, Whole, hulls
from tests.models.small_networks import FIRST_OF_EACH, Small

# google-research/receptive_field: size, stride, and start where the same layers have the strides.
PUBLISHED = [
    ("vgg", {"variant": "D"}, 224, "pool5", (212, 32, -90)),
    ("alexnet", {"variant": "bvlc"}, 227, "pool5", (195, 32, 0)),
]
PUBLISHED_SLOW = [
    ("resnet", {"depth": 50}, 224, "conv5_3/add", (483, 32, 0)),
    ("inception_v3", {}, 299, "Mixed_7c/output", (1311, 32, -618)),
]


def check_published(name: str, kwargs: Any, side: int, layer: str, expected: Any) -> None:
    rows = layer_table(models.build(name, num_classes=10, width=0.1, **kwargs), (side, side, 3))
    size, stride, start = expected
    field = next(row.field for row in rows if row.name == layer)
    assert field is not None
    assert (field.size, field.stride) == ((size, size), (stride, stride))
    if start:
        assert field.start == (start, start)


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: case[0])
def test_published_fields(case: Any) -> None:
    check_published(*case)


@pytest.mark.slow
@pytest.mark.parametrize("case", PUBLISHED_SLOW, ids=lambda case: case[0])
def test_published_fields_of_deep_networks(case: Any) -> None:
    check_published(*case)


def test_a_union_reaches_from_the_first_to_the_last_pixel() -> None:
    tall, wide = Field((5, 1), (2, 2), (-2, 0)), Field((1, 4), (2, 2), (0, -1))
    both = union([tall, wide])
    assert both == Field((5, 4), (2, 2), (-2, -1)) == union([wide, tall])
    assert both is not None and both.box(1, 2) == (0, 3, 5, 7)
    assert union([tall, None]) is None and union([]) is None


def check_hulls(model: models.Network, image: tuple[int, int, int]) -> int:
    """Compares all units of all layers; returns how many were seen whole, beyond no border."""
    rows = {row.name: row for row in layer_table(model, image)}
    whole = 0
    found = hulls(model, image)
    for name in rows.keys() & found.keys():  # a subsampled shortcut is no row
        field, hull = rows[name].field, found[name]
        if any(row.kind == "local" for row in rows.values()) and isinstance(hull, Whole):
            continue  # filters of their own for each position are no convolution
        assert (field is not None) == isinstance(hull, Hull), name
        if field is None or not isinstance(hull, Hull):
            continue
        for a in range(2):
            first = field.start[a] + field.stride[a] * np.arange(len(hull.first[a]))
            last = first + field.size[a] - 1
            inside = (first >= 0) & (last < image[a])
            assert (hull.first[a][inside] == first[inside]).all(), name
            assert (hull.last[a][inside] == last[inside]).all(), name
            assert (hull.first[a] >= first).all() and (hull.last[a] <= last).all(), name
            whole += int(inside.sum())
    return whole


def test_fields_are_what_the_program_depends_on() -> None:
    kwargs = {"filters": (2, 3), "pools": (3, 2), "kernel_size": 4, "pad": 1, "stride": 2}
    model = models.build("convnet", num_classes=4, **kwargs)
    assert check_hulls(model, (61, 70, 3)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("small", FIRST_OF_EACH, ids=lambda small: small.title)
def test_fields_of_every_network(small: Small) -> None:
    """On images so large that some unit sees no border; no number is computed."""
    model = small.build()
    rows = layer_table(model, small.shape)
    largest = max((max(row.receptive_field or (0, 0)) for row in rows), default=0)
    side = small.shape[0] + 32 * (2 * largest // 32)  # bn_inception needs a multiple of 32
    if any(row.kind in ("conv", "max_pool") for row in rows):
        assert check_hulls(model, (side, side, small.shape[2])) > 0
    else:
        check_hulls(model, small.shape)


def test_the_field_is_the_support_of_the_gradient() -> None:
    """And outside of it a unit hears nothing, inside of it its corners count."""
    kwargs = {"filters": (2,), "pools": (2,), "kernel_size": 3, "pad": 1, "activation": "linear"}
    model = models.build("convnet", num_classes=4, **kwargs)
    images = jnp.arange(2.0 * 10 * 10 * 3).reshape(2, 10, 10, 3)[:1]
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    variables = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes)
    field = next(row.field for row in layer_table(model, (10, 10, 3)) if row.name == "conv1")
    assert field is not None

    @jax.jit
    def support(images: jax.Array) -> jax.Array:
        heard = hear(model, variables, images, ["conv1"])
        one = jnp.zeros_like(heard.sounds["conv1"].before).at[0, 4, 7, 0].set(1.0)
        return heard.back(before={"conv1": one}).images[0].any(-1)

    with formulation.use("plain"):
        rows, columns = np.nonzero(np.asarray(support(images)))
    box = field.box(4, 7)
    assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == box
