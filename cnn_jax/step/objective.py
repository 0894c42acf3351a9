"""The loss: softmax cross-entropy or LeCun's criterion, label smoothing, and the L2 term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

from cnn_jax.optim.parameter_rules import ParameterRules, Rule, name_of

Loss = Callable[[jax.Array, jax.Array, jax.Array | float], jax.Array]
# j of equation 9; the paper prints no value. The two nearest digit codes are 44 apart: halfway, at
# a penalty of 11, they are still pushed apart, and a class whose code is 44 away is left alone.
NO_CLASS_PENALTY: Final = 20.0


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


def lecun_1998(logits: jax.Array, labels: jax.Array, smoothing: jax.Array | float) -> jax.Array:
    """Returns the MAP criterion of LeCun et al. 1998 (section II.C, equation 9), nats, (B,).

    With the penalties y = -logits it is y_label + log(exp(-j) + sum_i exp(-y_i)): the cross-entropy
    with one more class, "none of these", whose penalty is the constant j = `NO_CLASS_PENALTY`.

    Args:
        logits: (B, C), float32 or wider.
        labels: int (B,).
        smoothing: as `cross_entropy`, over the C classes.
    """
    none = jax.nn.softplus(-NO_CLASS_PENALTY - jax.nn.logsumexp(logits, axis=1))
    return cross_entropy(logits, labels, smoothing) + none


LOSSES: dict[str, Loss] = {"softmax": cross_entropy, "lecun_1998": lecun_1998}


def l2_penalty(params: Any, rules: ParameterRules) -> jax.Array:
    """Returns half the sum of the squares of what decays, each by its multiplier."""
    squares = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        decay = rules.of(name_of(path)).decay
        if decay:
            square = jnp.sum(jnp.square(leaf))
            squares.append(square if decay == 1 else decay * square)
    return 0.5 * jnp.asarray(squares).sum()


def decayed(updates: Any, params: Any, amount: jax.Array, rules: ParameterRules) -> Any:
    """Returns the updates with `amount` times what decays taken off: decoupled weight decay."""

    def leaf(rule: Rule, update: jax.Array, parameter: jax.Array) -> jax.Array:
        if not rule.decay:
            return update
        return update - (amount if rule.decay == 1 else amount * rule.decay) * parameter

    return rules.map(leaf, updates, params)
