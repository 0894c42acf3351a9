"""The steps of training, evaluation and inference: pure functions that know nothing of devices.

`parallel` compiles them; under a mapped axis it hands each device its own `BatchView`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.models import Network, Prediction
from cnn_jax.models.score_maps import score_maps
from cnn_jax.optim.averaging import averaged
from cnn_jax.optim.parameter_rules import KERNEL, ParameterRule, ParameterRules
from cnn_jax.optim.schedules import Clock, Shape
from cnn_jax.step.counts import Counts, count_correct
from cnn_jax.step.objective import Examples, batch_curvature, batch_gradient, cross_entropy
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState

Metrics = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Examples], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Any, Examples], Counts]
METRICS = ("loss", "data_loss", "error", "learning_rate", "gradient_norm", "stopped")


def make_train_step(recipe: Recipe) -> TrainStep:
    """Returns the pure function (state, batch) -> (state, metrics).

    A batch holds `image` uint8 (B, H, W, C) and `label` int32 (B,). The metrics are scalars: `loss`
    (with auxiliary heads and the L2 term), `data_loss`, `error` (fraction of the batch),
    `learning_rate`, `gradient_norm` (before clipping), and `stopped`: whether the guard wants the
    run to stop here.
    """

    def train_step(state: TrainState, batch: Examples) -> tuple[TrainState, Metrics]:
        rate = learning_rate(state, recipe.schedule)
        gradient = batch_gradient(recipe, state, batch)
        second = functools.partial(batch_curvature, recipe, state, batch)
        params, opt_state = updated(recipe, state, gradient.grads, rate, second)
        first_loss = jnp.where(state.step == 0, gradient.data_loss, state.guard["first_loss"])
        first_loss = first_loss.astype(float)
        metrics = {
            "loss": gradient.loss,
            "data_loss": gradient.data_loss,
            "error": gradient.error,
            "learning_rate": rate,
            "gradient_norm": optax.tree.norm(gradient.grads),
            "stopped": wants_stop(recipe, gradient.loss, gradient.data_loss, first_loss),
        }
        state = state.replace(
            step=state.step + 1,
            params=params,
            batch_stats=gradient.batch_stats,
            opt_state=opt_state,
            averaged_params=new_average(recipe, state, params, gradient.batch_stats),
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


def updated(
    recipe: Recipe,
    state: TrainState,
    grads: Any,
    rate: jax.Array,
    second: Callable[[], Any] | None = None,
) -> tuple[Any, Any]:
    """Returns the parameters and the state of the optimizer after a step.

    Args:
        recipe: of the step.
        state: before the step.
        grads: a tree like the parameters.
        rate: learning rate of this step.
        second: returns the second derivatives, like `grads`, for an optimizer that asks for them.
    """
    hyper, rules = state.hyper, recipe.rules
    if "clip_norm" in hyper:
        grads = clipped(grads, hyper["clip_norm"])
    optimizer = optax.with_extra_args_support(recipe.optimizer(rate, hyper["momentum"]))
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params, second=second)
    if recipe.decoupled_decay:
        updates = decayed(updates, state.params, rate * hyper["weight_decay"], rules)
    params = optax.apply_updates(state.params, rules.map(_scaled, updates))
    if "filter_rms_limit" in hyper:
        params = rules.map(
            lambda rule, p: _renormalised(rule, p, hyper["filter_rms_limit"]), params
        )
    if "max_norm" in hyper:
        params = rules.map(lambda rule, p: _constrained(rule, p, hyper["max_norm"]), params)
    return params, opt_state


def decayed(updates: Any, params: Any, amount: jax.Array, rules: ParameterRules) -> Any:
    """Returns the updates with `amount` times what decays taken off: decoupled weight decay."""

    def leaf(rule: ParameterRule, update: jax.Array, parameter: jax.Array) -> jax.Array:
        if not rule.decay:
            return update
        return update - (amount if rule.decay == 1 else amount * rule.decay) * parameter

    return rules.map(leaf, updates, params)


def clipped(grads: Any, limit: jax.Array) -> Any:
    """Returns gradients scaled to the norm `limit`, over all of them, where theirs is above it."""
    norm = optax.tree.norm(grads)
    factor = jnp.where(norm > limit, limit / norm, 1.0)
    return jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), grads)


def new_average(recipe: Recipe, state: TrainState, params: Any, batch_stats: Any) -> Any:
    """Returns the running average after a step; empty where none is kept."""
    if recipe.averaging is None:
        return state.averaged_params
    made = state.step.astype(float) - state.hyper["averaging_start"]
    new = {"params": params, "batch_stats": batch_stats}
    decay = state.hyper["averaging_decay"]
    return averaged(recipe.averaging, state.averaged_params, new, made, decay)


def _scaled(rule: ParameterRule, update: jax.Array) -> jax.Array:
    if rule.frozen:
        return jnp.zeros_like(update)
    return update if rule.rate == 1 else update * rule.rate


def _renormalised(rule: ParameterRule, parameter: jax.Array, limit: jax.Array) -> jax.Array:
    """Returns filters (H, W, C, O) of which none has an RMS above the limit.

    Zeiler & Fergus 2013, arXiv:1311.2901, section 3: filters of the convolutional layers whose RMS
    exceeds a fixed radius of 0.1 are renormalised to it.
    """
    if rule.role != KERNEL or parameter.ndim != 4 or rule.frozen:
        return parameter
    rms = jnp.sqrt(jnp.mean(jnp.square(parameter), axis=(0, 1, 2)))
    return parameter * jnp.where(rms > limit, limit / rms, 1.0).astype(parameter.dtype)


def _constrained(rule: ParameterRule, parameter: jax.Array, limit: jax.Array) -> jax.Array:
    """Returns weights (..., in, O) of which no unit's incoming ones have a norm above the limit.

    Srivastava et al. 2014, JMLR 15, section 5.1; biases are not among the weights. A filter
    (H, W, C, O) is taken as a unit, and a locally connected layer (H', W', H, W, C, O) has units at
    every position; other kernels are left.
    """
    if rule.role != KERNEL or parameter.ndim not in (2, 4, 6) or rule.frozen:
        return parameter
    incoming = tuple(range(max(parameter.ndim - 4, 0), parameter.ndim - 1))
    norm = jnp.sqrt(jnp.sum(jnp.square(parameter), axis=incoming, keepdims=True))
    return parameter * jnp.where(norm > limit, limit / norm, 1.0).astype(parameter.dtype)


def make_eval_step(
    model: Network, preprocess: Preprocessing, axis_name: str | None = None
) -> EvalStep:
    """Returns the pure function (params, batch_stats, batch) -> `Counts`.

    A batch holds `image`, `label` and `weight` (B,): 1 for an example, 0 for padding.
    """

    def eval_step(params: Any, batch_stats: Any, batch: Examples) -> Counts:
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

        once = seen(images)
        return (once + seen(images[:, :, ::-1])) / 2 if mirrored else once

    return probability_step
