"""PReLU-nets: slopes, depths and the initialisation that the paper is about."""

from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import Row, layer_table


def build(**kwargs: Any) -> models.Network:
    return models.build("prelu_net", num_classes=10, **{"width": 0.02, **kwargs})


def rows(**kwargs: Any) -> list[Row]:
    return layer_table(build(**kwargs), (32, 32, 3))


def test_one_slope_a_channel_and_its_twins() -> None:
    channelwise, shared, relu = (
        rows(variant="small14", **knob)
        for knob in ({}, {"activation": "prelu_shared"}, {"activation": "relu"})
    )
    for before, slopes in pairwise(channelwise):
        if slopes.kind == "prelu":
            assert slopes.name == f"{before.name}_prelu"
            assert slopes.parameters == before.output[-1]
    # Every layer but the last, as in Table 1.
    assert sum(row.kind == "prelu" for row in channelwise) == 13
    assert [row.parameters for row in shared if row.kind == "prelu"] == [1] * 13
    assert relu == [row for row in channelwise if row.kind != "prelu"]


def test_slopes_start_at_a_quarter() -> None:
    model = build(variant="small14", convolutions=(1,))
    params = init_variables(model, jax.random.key(0), (1, 32, 32, 3), train=False)["params"]
    assert set(np.asarray(params["conv2_1_prelu"]["slope"])) == {0.25}


@pytest.mark.parametrize(
    ("variant", "depth"), [("A", 19), ("B", 22), ("C", 22), ("small14", 14), ("small30", 30)]
)
def test_depth(variant: str, depth: int) -> None:
    assert sum(row.kind in ("conv", "dense") for row in rows(variant=variant)) == depth


def test_small30_is_small14_and_sixteen_more_convolutions_of_256_maps() -> None:
    tables = [rows(variant=variant, width=1.0) for variant in ("small14", "small30")]
    short, long = ([r for r in rows if r.kind == "conv"] for rows in tables)
    assert long[: len(short)] == short
    assert [(row.output[-1], row.kernel) for row in long[len(short) :]] == [(256, (2, 2))] * 16


def test_kernels_are_drawn_by_the_outputs() -> None:
    model = build(variant="A", width=0.25, convolutions=(2,))
    params = init_variables(model, jax.random.key(0), (1, 32, 32, 3), train=False)["params"]
    expected = {
        "conv1": (2 / (7 * 7 * 24)) ** 0.5,
        "conv2_1": (2 / (3 * 3 * 64)) ** 0.5,
        "conv2_2": (2 / (3 * 3 * 64)) ** 0.5,
        "fc1": 0.01,
        "fc2": 0.01,
        "fc3": 0.001,
    }
    found = {name: float(np.std(params[name]["kernel"])) for name in expected}
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("convolutions", [(1, 0), (1, 1, 1, 1)])
def test_stages_that_do_not_exist(convolutions: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="give 1 to 3 stages"):
        rows(convolutions=convolutions)
