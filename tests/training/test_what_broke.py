"""The layer and the examples at which a run broke are named."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.training import session
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import prepare
from cnn_jax.training.what_broke import Look, Tensor, in_words, what_broke
from tests import configs

LAYERS = ("C1", "C3", "F5")
pytestmark = pytest.mark.usefixtures("no_pictures")


def look(step: int = 10, **outputs: float) -> Look:
    """Of four examples, all as large as the layer."""
    of_layers = {name: outputs.get(name, 1.0) for name in LAYERS}
    tensors = {name: Tensor(value, 0, 8) for name, value in of_layers.items()}
    by_example = {name: np.full(4, value) for name, value in of_layers.items()}
    weights = {"params/C1/kernel": Tensor(0.1, 0, 25)}
    return Look(step, np.arange(40, 44), tensors, tensors, weights, by_example)


def said(*looks: Look) -> str:
    return in_words(list(looks), lambda example: f"image {example}.png")


@pytest.mark.parametrize("name", LAYERS)
def test_the_first_layer_whose_outputs_are_not_finite(name: str) -> None:
    at = look(11)
    broken = {layer: LAYERS.index(layer) >= LAYERS.index(name) for layer in LAYERS}
    outputs = {layer: replace(at.outputs[layer], broken=3 * broken[layer]) for layer in LAYERS}
    examples = np.array([1.0, np.nan, 1.0, np.nan])
    text = said(look(), replace(at, outputs=outputs, by_example={name: examples}))
    assert f"the outputs of {name} are the first that are not finite, 3 of 8" in text
    assert "2 of 4 examples are not finite there: image 41.png, image 43.png" in text


def test_a_gradient_is_followed_from_the_end() -> None:
    at = look(11)
    gradients = at.gradients | {name: Tensor(1.0, 2, 8) for name in ("C1", "C3")}
    assert "gradient of the outputs of C3 is the first" in said(
        look(), replace(at, gradients=gradients)
    )


def test_an_explosion_is_told_by_its_growth() -> None:
    text = said(look(3), look(9), look(10, C3=40.0, F5=4000.0))
    assert "the outputs of C3 are the first that are 40 times as large as before step 3" in text
    assert "no example of the batch stands out" in text
    one = replace(look(10, C3=40.0), by_example={"C3": np.array([1.0, 40.0, 1.0, 2.0])})
    assert "1 of 4 examples are far larger there than the others: image 41.png" in said(
        look(3), one
    )
    assert "the most, 2 times, are those of F5" in said(look(3), look(10, F5=2.0))


def test_weights_that_were_ruined_lead_to_the_step_before() -> None:
    ruined = replace(look(10), weights={"params/C1/kernel": Tensor(0.0, 25, 25)})
    text = said(look(3), look(9, F5=50.0), ruined)
    assert text.startswith("before step 10, params/C1/kernel were no longer finite\nstep 9: ")
    assert "outputs of F5 are the first that are 50 times" in text


@pytest.mark.parametrize("layer", ["C1", "C5", "F6"])
def test_the_layers_of_a_run_are_measured(layer: str) -> None:
    run = prepare(configs.make({}))
    state = run.initial_state()
    params: dict[str, Any] = dict(state.params)
    params[layer] = params[layer] | {"kernel": params[layer]["kernel"].at[..., 0].set(jnp.nan)}
    broken = state.replace(params=params)
    text = what_broke(run, broken, make_feed(run, broken), 0)
    assert text.startswith(f"before step 0, params/{layer}/kernel were no longer finite")
    assert f"the outputs of {layer} are the first that are not finite" in text


@pytest.mark.parametrize("rate", [1e4, 1e36])
def test_a_diverged_run_says_where(rate: float, tmp_path: Path) -> None:
    config = configs.make({"optim.learning_rate": rate, "schedule.warmup_epochs": 0.0})
    with Preemption() as preemption, pytest.raises(DivergedError) as caught:
        session.train(config, tmp_path, preemption, time.time())
    text = str(caught.value)
    assert "largest absolute values:" in text and "\nstep " in text
    assert (tmp_path / "diverged.txt").read_text() == text + "\n"
    print(text)
