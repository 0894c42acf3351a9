"""The train step and the evaluation step: pure functions that know nothing of devices.

`parallel` compiles them; under a mapped axis it hands each device its own `BatchView`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.models import Network, Prediction
from cnn_jax.models.score_maps import score_maps
from cnn_jax.optim.schedules import Clock, Shape
from cnn_jax.step.counts import Counts, count_correct
from cnn_jax.step.gradients import Batch, batch_gradient
from cnn_jax.step.objective import cross_entropy
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState
from cnn_jax.step.update import new_average, updated

Metrics = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Any, Batch], Counts]
METRICS = ("loss", "data_loss", "error", "learning_rate", "gradient_norm", "stopped")


def make_train_step(recipe: Recipe) -> TrainStep:
    """Returns the pure function (state, batch) -> (state, metrics).

    A batch holds `image` uint8 (B, H, W, C) and `label` int32 (B,). The metrics are scalars: `loss`
    (with auxiliary heads and the L2 term), `data_loss`, `error` (fraction of the batch),
    `learning_rate`, `gradient_norm` (before clipping), and `stopped`: whether the guard wants the
    run to stop here.
    """

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        rate = learning_rate(state, recipe.schedule)
        found = batch_gradient(recipe, state, batch)
        params, opt_state = updated(recipe, state, found.grads, rate)
        first_loss = jnp.where(state.step == 0, found.data_loss, state.guard["first_loss"])
        first_loss = first_loss.astype(float)
        metrics = {
            "loss": found.loss,
            "data_loss": found.data_loss,
            "error": found.error,
            "learning_rate": rate,
            "gradient_norm": optax.tree.norm(found.grads),
            "stopped": wants_stop(recipe, found.loss, found.data_loss, first_loss),
        }
        state = state.replace(
            step=state.step + 1,
            params=params,
            batch_stats=found.batch_stats,
            opt_state=opt_state,
            averaged_params=new_average(recipe, state, params, found.batch_stats),
            guard={"first_loss": first_loss},
        )
        return state, {name: metrics[name].astype(float) for name in METRICS}

    return train_step


def learning_rate(state: TrainState, schedule: Shape) -> jax.Array:
    """Returns the rate of the step that `state` is about to make."""
    hyper = state.hyper
    clock = Clock(
        state.step.astype(float),
        hyper["warmup_steps"],
        hyper["total_steps"],
        hyper["steps_per_epoch"],
    )
    return hyper["learning_rate"] * schedule(clock) * state.plateau["scale"]


def wants_stop(
    recipe: Recipe, loss: jax.Array, data_loss: jax.Array, first_loss: jax.Array
) -> jax.Array:
    """Whether a loss is not finite, or above the factor times max(first loss, ln classes)."""
    stop = ~jnp.isfinite(loss)
    if recipe.explosion_factor > 0:
        usual = jnp.maximum(first_loss, math.log(recipe.model.num_classes))
        stop |= data_loss > recipe.explosion_factor * usual
    return stop


def make_eval_step(
    model: Network, preprocess: Preprocessing, axis_name: str | None = None
) -> EvalStep:
    """Returns the pure function (params, batch_stats, batch) -> `Counts`.

    A batch holds `image`, `label` and `weight` (B,): 1 for an example, 0 for padding.
    """

    def eval_step(params: Any, batch_stats: Any, batch: Batch) -> Counts:
        images = preprocess(batch["image"], model.dtype)
        variables = {"params": params, "batch_stats": batch_stats}
        logits = predict(model, variables, images).logits
        losses = cross_entropy(logits, batch["label"], 0.0)
        counts = count_correct(logits, batch["label"], batch["weight"], losses)
        return counts if axis_name is None else jax.lax.psum(counts, axis_name)

    return eval_step


def predict(model: Network, variables: Mapping[str, Any], images: jax.Array) -> Prediction:
    """Returns the prediction of a network in evaluation mode."""
    prediction = model.apply(variables, images, train=False)
    assert isinstance(prediction, Prediction)
    return prediction


def make_probability_step(
    model: Network, preprocess: Preprocessing, mirrored: bool = False, dense: bool = False
) -> Callable[[Any, Any, jax.Array], jax.Array]:
    """Returns the pure function (params, batch_stats, uint8 images) -> probabilities (B, C).

    Args:
        model: the network.
        preprocess: of its images.
        mirrored: whether the probabilities are the mean of those of an image and of its mirror.
        dense: whether images may be larger than in training: the scores of all positions are
            averaged before the softmax (Simonyan & Zisserman 2015, section 3.2).
    """

    def probability_step(params: Any, batch_stats: Any, images: jax.Array) -> jax.Array:
        variables = {"params": params, "batch_stats": batch_stats}

        def seen(images: jax.Array) -> jax.Array:
            shown = preprocess(images, model.dtype)
            if dense:
                return jax.nn.softmax(jnp.mean(score_maps(model, variables, shown), axis=(1, 2)))
            return jax.nn.softmax(predict(model, variables, shown).logits)

        found = seen(images)
        return (found + seen(images[:, :, ::-1])) / 2 if mirrored else found

    return probability_step
