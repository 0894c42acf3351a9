"""The train step and the evaluation step: pure functions that know nothing of devices.

`parallel` compiles them; under a mapped axis it hands each device its own `BatchView`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cnn_jax.data.augment import Augment
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.evaluation.counts import Counts, count_correct
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models import Network, Prediction
from cnn_jax.optim.schedules import Clock, Shape
from cnn_jax.training.objective import Loss, cross_entropy, decayed, l2_penalty
from cnn_jax.training.state import TrainState

Batch = Mapping[str, Any]  # arrays by name
Metrics = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Any, Batch], Counts]
METRICS = ("loss", "data_loss", "error", "learning_rate", "gradient_norm", "stopped")


@dataclass(frozen=True)
class Recipe:
    """What a step is made of.

    Attributes:
        model: the network.
        preprocess: uint8 image to input.
        augment: random transformation of the images, or None.
        optimizer: (rate, momentum) -> optax transformation.
        schedule: shape that multiplies the base rate.
        loss: of each example, in training; evaluation reports the cross-entropy.
        decoupled_decay: whether weight decay stands beside the gradient step, not in the loss.
        explosion_factor: of the guard; 0: no guard against explosion.
        view: the part of the global batch in view.
    """

    model: Network
    preprocess: Preprocessing
    augment: Augment | None
    optimizer: Callable[[jax.Array, jax.Array], optax.GradientTransformation]
    schedule: Shape
    loss: Loss = cross_entropy
    decoupled_decay: bool = False
    explosion_factor: float = 0.0
    view: BatchView = BatchView()


def make_train_step(recipe: Recipe) -> TrainStep:
    """Returns the pure function (state, batch) -> (state, metrics).

    A batch holds `image` uint8 (B, H, W, C) and `label` int32 (B,). The metrics are scalars: `loss`
    (with the L2 term), `data_loss`, `error` (fraction of the batch), `learning_rate`,
    `gradient_norm`, and `stopped`: whether the guard wants the run to stop here.
    """

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        rate = learning_rate(state, recipe.schedule)
        view = _here(recipe.view, len(batch["label"]))
        images = prepare_images(recipe, state, batch["image"], view)
        model = recipe.model.clone(view=view, **_traced_dropout(state))
        dropout_key = jax.random.fold_in(jax.random.key(state.seeds["dropout"]), state.step)

        def objective(params: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array, Any]]:
            variables = {"params": params, "batch_stats": state.batch_stats}
            prediction, changed = model.apply(
                variables,
                images,
                train=True,
                rngs={"dropout": dropout_key},
                mutable=["batch_stats"],
            )
            smoothing = state.hyper["label_smoothing"]
            losses = recipe.loss(prediction.logits, batch["label"], smoothing)
            wrong = jnp.argmax(prediction.logits, axis=1) != batch["label"]
            data_loss, error = jnp.mean(losses), jnp.mean(wrong, dtype=float)
            loss = data_loss
            if not recipe.decoupled_decay:
                loss = loss + state.hyper["weight_decay"] * l2_penalty(params)
            return loss, (data_loss, error, changed.get("batch_stats", {}))

        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, (data_loss, error, batch_stats)), grads = gradient(state.params)
        if view.axis_name is not None:
            loss, data_loss, error, grads = jax.lax.pmean(
                (loss, data_loss, error, grads), view.axis_name
            )
        optimizer = recipe.optimizer(rate, state.hyper["momentum"])
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        if recipe.decoupled_decay:
            updates = decayed(updates, state.params, rate * state.hyper["weight_decay"])

        first_loss = jnp.where(state.step == 0, data_loss, state.guard["first_loss"])
        first_loss = first_loss.astype(float)
        metrics = {
            "loss": loss,
            "data_loss": data_loss,
            "error": error,
            "learning_rate": rate,
            "gradient_norm": optax.tree.norm(grads),
        }
        metrics["stopped"] = wants_stop(recipe, loss, data_loss, first_loss)
        state = state.replace(
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            opt_state=opt_state,
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


def prepare_images(
    recipe: Recipe, state: TrainState, images: jax.Array, view: BatchView
) -> jax.Array:
    """Returns uint8 images augmented, by draws keyed by (seed, step, position), and normalised."""
    if recipe.augment is not None:
        step_key = jax.random.fold_in(jax.random.key(state.seeds["data"]), state.step)
        positions = view.first_position + jnp.arange(images.shape[0])
        images = recipe.augment(
            jax.vmap(jax.random.fold_in, (None, 0))(step_key, positions), images
        )
    return recipe.preprocess(images, recipe.model.dtype)


def wants_stop(
    recipe: Recipe, loss: jax.Array, data_loss: jax.Array, first_loss: jax.Array
) -> jax.Array:
    """Whether a loss is not finite, or above the factor times max(first loss, ln classes)."""
    stop = ~jnp.isfinite(loss)
    if recipe.explosion_factor > 0:
        usual = jnp.maximum(first_loss, math.log(recipe.model.num_classes))
        stop |= data_loss > recipe.explosion_factor * usual
    return stop


def _here(view: BatchView, examples: int) -> BatchView:
    """Returns the view of this device: under a mapped axis its part begins at its own position."""
    if view.axis_name is None:
        return view
    first = jax.lax.axis_index(view.axis_name) * examples
    return replace(view, first_position=first)


def _traced_dropout(state: TrainState) -> dict[str, Any]:
    rates = state.hyper["dropout"]
    return {"dropout_rate": rates} if rates else {}


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
    model: Network, preprocess: Preprocessing
) -> Callable[[Any, Any, jax.Array], jax.Array]:
    """Returns the pure function (params, batch_stats, uint8 images) -> probabilities (B, C)."""

    def probability_step(params: Any, batch_stats: Any, images: jax.Array) -> jax.Array:
        variables = {"params": params, "batch_stats": batch_stats}
        logits = predict(model, variables, preprocess(images, model.dtype)).logits
        return jax.nn.softmax(logits)

    return probability_step
