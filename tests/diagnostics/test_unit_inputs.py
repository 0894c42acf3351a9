"""The inputs of a unit while a network trains: against numpy, and against the run itself."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.records import Request
from cnn_jax.diagnostics.unit_inputs import follow, unit_inputs
from cnn_jax.diagnostics.unit_inputs_picture import draw_unit_inputs
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import Run, prepare
from tests import configs
from tests.slow_but import slow_but

NET = {"layers": (12, 5), "activation": "sigmoid", "dropout_rate": 0.3}


def run_of(norm: str) -> tuple[Any, Run]:
    config = configs.quick({"model.kwargs": NET | {"norm": norm}})
    return config, prepare(config)


def by_hand(run: Run, state: Any, images: np.ndarray) -> np.ndarray:
    """The inputs of the second layer's sigmoids, in float64."""
    x = np.asarray(run.preprocessing(images), np.float64).reshape(len(images), -1)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), state.params)
    for layer in ("fc1", "fc2"):
        x = x @ params[layer]["kernel"] + params[layer]["bias"]
        if norm := params.get(f"{layer}_bn"):
            x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * norm["scale"] + norm["bias"]
        if layer == "fc1":
            x = 1 / (1 + np.exp(-x))
    return x


@pytest.mark.slow
@pytest.mark.parametrize("norm", slow_but(["batch"], ["none", "batch"]))
def test_percentiles_are_those_of_the_sigmoids_inputs(norm: str) -> None:
    config, run = run_of(norm)
    found = follow(config, "fc2", unit=3, every=15)
    assert found["step"] == [0, 15, 30, 40] and (found["n"], found["images"]) == (17, 50)
    state = run.initial_state()
    state, _ = make_feed(run, state)(state, 0, 15)
    batch = next(run.dataset.train.batches([Request(np.arange(50), 0)], train=False))
    expected = by_hand(run, state, batch.images)[:, 3]
    values = unit_inputs(run.recipe, "fc2", 3)(state.params, state.batch_stats, batch.images)
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)
    percentiles = np.percentile(expected, [15, 50, 85])
    np.testing.assert_allclose(found["percentiles"][1], percentiles, rtol=1e-2, atol=1e-3)


def test_a_layer_that_does_not_exist_is_named_with_the_nearest() -> None:
    config, _ = run_of("none")
    with pytest.raises(InputError, match="layer 'fc3': the network has none.*'fc"):
        follow(config, "fc3")


def test_the_picture_is_drawn_twice(tmp_path: Path) -> None:
    one = {"step": [0, 5], "test_error": [0.9, 0.02], "percentiles": [[-1, 0, 1], [-2, 0, 3]]}
    one |= {"images": 9, "layer": "fc2", "unit": 0, "config_hash": "0" * 12}
    draw_unit_inputs({"without": one, "with": one}, "a title", tmp_path / "picture.png")
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".pdf"}
