"""The loss: softmax cross-entropy, label smoothing, and the L2 term."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: jax.Array | float) -> jax.Array:
    """Returns the cross-entropy of each example, nats, (B,).

    Args:
        logits: (B, C), float32 or wider.
        labels: int (B,).
        smoothing: mass taken from the label and spread evenly over all C classes (Szegedy et al.
            2015, arXiv:1512.00567, section 7).
    """
    log_p = jax.nn.log_softmax(logits)
    of_label = jnp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]
    return -(1 - smoothing) * of_label - smoothing * jnp.mean(log_p, axis=1)


def l2_penalty(params: Any) -> jax.Array:
    """Returns half the sum of the squared kernels; biases and batch norm are left out."""
    return 0.5 * jnp.asarray([jnp.sum(jnp.square(leaf)) for leaf in _kernels(params)]).sum()


def decayed(updates: Any, params: Any, amount: jax.Array) -> Any:
    """Returns the updates with `amount` times every kernel taken off: decoupled weight decay."""

    def leaf(path: Any, update: jax.Array, parameter: jax.Array) -> jax.Array:
        return update - amount * parameter if is_kernel(path) else update

    return jax.tree_util.tree_map_with_path(leaf, updates, params)


def is_kernel(path: Any) -> bool:
    """Whether a path in the parameter tree ends in a kernel."""
    return path[-1].key == "kernel"


def _kernels(params: Any) -> list[jax.Array]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [leaf for path, leaf in leaves if is_kernel(path)]
