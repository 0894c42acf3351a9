"""What goes into one unit's nonlinearity while a network trains, and the test error beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import flax.linen as nn
import jax
import numpy as np

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.schema import Config
from cnn_jax.data.records import Request
from cnn_jax.evaluation.exact import evaluate
from cnn_jax.models.layer_table import layer_table
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.steps import make_eval_step
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import prepare

PERCENTILES: Final = (15, 50, 85)  # Ioffe & Szegedy 2015, Figure 1
MOST_IMAGES: Final = 1000


def unit_inputs(recipe: Recipe, layer: str, unit: int) -> Callable[..., jax.Array]:
    """Returns the function (params, batch_stats, uint8 images) -> inputs of the nonlinearity (B,).

    They are those of a training step on these images, with the batch's statistics where batch norm
    stands before the nonlinearity, but without dropout.

    Args:
        recipe: of the run.
        layer: by its name in the network, dense.
        unit: number of the unit in it.
    """
    model = recipe.model.clone(dropout_rate=0.0)

    def inputs(params: Any, batch_stats: Any, images: jax.Array) -> jax.Array:
        heard: dict[str, jax.Array] = {}

        def listen(
            method: Callable[..., Any],
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            context: nn.module.InterceptorContext,
        ) -> Any:
            y = method(*args, **kwargs)
            if context.method_name == "__call__":
                heard["/".join(context.module.path)] = y
            return y

        with nn.intercept_methods(listen):
            variables = {"params": params, "batch_stats": batch_stats}
            model.apply(
                variables, recipe.preprocess(images, model.dtype), train=True, mutable="batch_stats"
            )
        return heard.get(f"{layer}_bn", heard[layer])[:, unit]

    return inputs


def follow(config: Config, layer: str, unit: int = 0, every: int = 500) -> dict[str, Any]:
    """Trains a network, and returns how a unit's inputs and the test error go, as JSON holds it.

    Args:
        config: validated; the order of data and all draws are those of `experiments.train`.
        layer: whose unit is followed.
        unit: its number in the layer.
        every: steps between two measurements.

    Returns:
        `step`, `test_error` (fractions) and `percentiles` (15th, 50th, 85th) of every measurement;
        `n` of the test images; `images` of train over which the percentiles go; `layer`, `unit`,
        `config_hash`.

    Raises:
        InputError: there is no such layer, or the data cannot be read.
    """
    run = prepare(config)
    names = [row.name for row in layer_table(run.recipe.model, run.dataset.image_shape)]
    if layer not in names:
        raise InputError(f"layer {layer!r}: the network has none{hint(layer, names)}")
    state = run.initial_state()
    feed, total = make_feed(run, state), run.plan.total_steps
    count = run.devices.compile_eval_step(make_eval_step(run.recipe.model, run.preprocessing))
    inputs = run.devices.compile_inference(unit_inputs(run.recipe, layer, unit))
    first = np.arange(min(MOST_IMAGES, len(run.dataset.train)))
    images = next(run.dataset.train.batches([Request(first, 0)], train=False)).images
    measured: dict[str, list[Any]] = {"step": [], "test_error": [], "percentiles": []}

    def measure(step: int) -> None:
        errors = evaluate(
            lambda batch: count(state.params, state.batch_stats, batch),
            run.dataset.test,
            config.evaluation.batch_size,
        )
        values = np.asarray(inputs(state.params, state.batch_stats, images), np.float64)
        measured["step"].append(step)
        measured["test_error"].append(errors.top1_error)
        measured["percentiles"].append(np.percentile(values, PERCENTILES).tolist())

    with Waiting("training, step") as waiting:
        measure(0)
        step = 0
        while step < total:
            steps = min(every - step % every, run.config.train.chunk_steps, total - step)
            state, _ = feed(state, step, steps)
            step += steps
            waiting.done(step, total)
            if step % every == 0 or step == total:
                measure(step)
    return measured | {
        "n": len(run.dataset.test),
        "images": len(first),
        "layer": layer,
        "unit": unit,
        "config_hash": config_hash(to_tree(config)),
    }
