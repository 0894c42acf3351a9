"""Learning-rate schedules: shapes that multiply the base rate, traced in all they depend on.

A shape sees the step and the length of the run as arrays, so that two runs of different rate or
length share one compilation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Clock(NamedTuple):
    """Where a run stands; float scalars, all may be traced.

    Attributes:
        step: steps made before this one.
        warmup_steps: steps of linear warm-up.
        total_steps: steps of the whole run.
        steps_per_epoch: a fraction.
    """

    step: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    steps_per_epoch: jax.Array


Shape = Callable[[Clock], jax.Array]


def constant() -> Shape:
    """Returns the shape that is 1 throughout."""
    return lambda clock: jnp.ones_like(clock.step)


def step(*, boundaries_epochs: tuple[float, ...] = (), factor: float = 0.1) -> Shape:
    """Returns the shape that is multiplied by `factor` at each boundary.

    Args:
        boundaries_epochs: passes over train after which the rate drops, increasing.
        factor: multiplier of each drop.
    """

    def shape(clock: Clock) -> jax.Array:
        at = jnp.ceil(jnp.asarray(boundaries_epochs, float) * clock.steps_per_epoch - 1e-3)
        return jnp.asarray(factor, float) ** jnp.sum(clock.step >= at)

    return shape


def cosine(*, final_fraction: float = 0.0) -> Shape:
    """Returns half a cosine from 1 after the warm-up to `final_fraction` at the end.

    Loshchilov & Hutter 2017 (arXiv:1608.03983), equation 5, without restarts.
    """

    def shape(clock: Clock) -> jax.Array:
        length = jnp.maximum(clock.total_steps - clock.warmup_steps, 1.0)
        progress = jnp.clip((clock.step - clock.warmup_steps) / length, 0.0, 1.0)
        half = 0.5 * (1.0 + jnp.cos(jnp.pi * progress))
        return final_fraction + (1.0 - final_fraction) * half

    return shape


SCHEDULES: dict[str, Callable[..., Shape]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
}


def warmed_up(shape: Shape) -> Shape:
    """Returns a shape behind a linear warm-up: step t of w is multiplied by (t + 1) / w."""

    def warm(clock: Clock) -> jax.Array:
        ramp = (clock.step + 1.0) / jnp.maximum(clock.warmup_steps, 1.0)
        return jnp.minimum(ramp, 1.0) * shape(clock)

    return warm
