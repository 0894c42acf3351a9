"""Counts of right answers: integers, so that the sum over any division of a split is exact."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Counts(NamedTuple):
    """Sums over examples.

    Attributes:
        n: int32, examples counted.
        top1: int32, examples whose label has the largest logit.
        top5: int32, examples whose label is among the five largest.
        loss: float, sum of the losses.
    """

    n: jax.Array
    top1: jax.Array
    top5: jax.Array
    loss: jax.Array


def count_correct(
    logits: jax.Array, labels: jax.Array, weights: jax.Array, losses: jax.Array
) -> Counts:
    """Returns the counts of one batch.

    Of equal logits the class with the lower number ranks higher; an example with a logit that is
    not finite counts as wrong.

    Args:
        logits: (B, C).
        labels: int (B,).
        weights: (B,), 1 for an example, 0 for padding.
        losses: (B,), nats.
    """
    of_label = jnp.take_along_axis(logits, labels[:, None], axis=1)
    before = jnp.arange(logits.shape[1])[None, :] < labels[:, None]
    ahead = (logits > of_label) | ((logits == of_label) & before)
    rank = jnp.where(jnp.all(jnp.isfinite(logits), axis=1), ahead.sum(1), logits.shape[1] + 5)
    real = weights > 0
    return Counts(
        n=jnp.sum(real, dtype=jnp.int32),
        top1=jnp.sum((rank < 1) & real, dtype=jnp.int32),
        top5=jnp.sum((rank < 5) & real, dtype=jnp.int32),
        loss=jnp.sum(jnp.where(real, losses, 0.0), dtype=float),
    )
