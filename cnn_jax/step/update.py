"""From a gradient to new parameters: clipping, the optimizer, multipliers, decay, filter norms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from cnn_jax.optim.averaging import averaged
from cnn_jax.optim.parameter_rules import KERNEL, Rule
from cnn_jax.step.objective import decayed
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState


def updated(recipe: Recipe, state: TrainState, grads: Any, rate: jax.Array) -> tuple[Any, Any]:
    """Returns the parameters and the state of the optimizer after a step.

    Args:
        recipe: of the step.
        state: before the step.
        grads: a tree like the parameters.
        rate: learning rate of this step.
    """
    hyper, rules = state.hyper, recipe.rules
    if "clip_norm" in hyper:
        grads = clipped(grads, hyper["clip_norm"])
    optimizer = recipe.optimizer(rate, hyper["momentum"])
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    if recipe.decoupled_decay:
        updates = decayed(updates, state.params, rate * hyper["weight_decay"], rules)
    params = optax.apply_updates(state.params, rules.map(_scaled, updates))
    if "filter_rms_limit" in hyper:
        params = rules.map(
            lambda rule, p: _renormalised(rule, p, hyper["filter_rms_limit"]), params
        )
    return params, opt_state


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


def _scaled(rule: Rule, update: jax.Array) -> jax.Array:
    if rule.frozen:
        return jnp.zeros_like(update)
    return update if rule.rate == 1 else update * rule.rate


def _renormalised(rule: Rule, parameter: jax.Array, limit: jax.Array) -> jax.Array:
    """Returns filters (H, W, C, O) of which none has an RMS above the limit.

    Zeiler & Fergus 2013, arXiv:1311.2901, section 3: filters of the convolutional layers whose RMS
    exceeds a fixed radius of 0.1 are renormalised to it.
    """
    if rule.role != KERNEL or parameter.ndim != 4 or rule.frozen:
        return parameter
    rms = jnp.sqrt(jnp.mean(jnp.square(parameter), axis=(0, 1, 2)))
    return parameter * jnp.where(rms > limit, limit / rms, 1.0).astype(parameter.dtype)
