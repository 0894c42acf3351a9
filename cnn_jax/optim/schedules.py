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
        steps_per_epoch: steps in one pass over train, not rounded.
    """

    step: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    steps_per_epoch: jax.Array


Shape = Callable[[Clock], jax.Array]


def constant() -> Shape:
    """Returns the shape that is 1 throughout.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{constant()(clock):.3f}"
        '1.000'
    """
    return lambda clock: jnp.ones_like(clock.step)


def step(*, boundaries_epochs: tuple[float, ...] = (), factor: float = 0.1) -> Shape:
    """Returns the shape that is multiplied by `factor` at each boundary.

    Args:
        boundaries_epochs: passes over train after which the rate drops, increasing.
        factor: multiplier of each drop.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{step(boundaries_epochs=(20.0, 40.0))(clock):.3f}"
        '0.100'
    """

    def shape(clock: Clock) -> jax.Array:
        at = jnp.ceil(jnp.asarray(boundaries_epochs, float) * clock.steps_per_epoch - 1e-3)
        return jnp.asarray(factor, float) ** jnp.sum(clock.step >= at)

    return shape


def piecewise(
    *, boundaries_epochs: tuple[float, ...] = (), multipliers: tuple[float, ...] = ()
) -> Shape:
    """Returns the shape that is 1, and from each boundary on another multiple of the base rate.

    LeCun et al. 1998, section III.B: 0.0005 for two passes, 0.0002 for three, 0.0001 for three,
    0.00005 for four, then 0.00001.

    Args:
        boundaries_epochs: passes over train after which the rate changes, increasing.
        multipliers: of the base rate, one for each boundary.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> shape = piecewise(boundaries_epochs=(20.0, 40.0), multipliers=(0.4, 0.2))
        >>> f"{shape(clock):.3f}"
        '0.400'
    """

    def shape(clock: Clock) -> jax.Array:
        at = jnp.ceil(jnp.asarray(boundaries_epochs, float) * clock.steps_per_epoch - 1e-3)
        return jnp.asarray((1.0, *multipliers), float)[jnp.sum(clock.step >= at)]

    return shape


def exponential(
    *, factor: float = 0.96, every_epochs: float = 8.0, staircase: bool = True
) -> Shape:
    """Returns the shape that falls by `factor` every so many epochs.

    The defaults are GoogLeNet's: 4 % every 8 epochs (Szegedy et al. 2014, arXiv:1409.4842, section
    6); Inception-v3 has 0.94 every 2 (arXiv:1512.00567, section 8).

    Args:
        factor: multiplier of each fall.
        every_epochs: passes over train between two falls.
        staircase: whether it falls at once, or evenly with every step.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{exponential(every_epochs=10.0)(clock):.3f}"
        '0.922'
    """

    def shape(clock: Clock) -> jax.Array:
        period = every_epochs * clock.steps_per_epoch
        falls = clock.step / period
        if staircase:
            falls = jnp.floor(falls)
            # The quotient is rounded: the first step of each period is held against its number.
            falls += clock.step >= jnp.ceil((falls + 1) * period - 1e-3)
            falls -= clock.step < jnp.ceil(falls * period - 1e-3)
        return jnp.asarray(factor, float) ** falls

    return shape


def polynomial(*, power: float = 1.0, final_fraction: float = 0.0) -> Shape:
    """Returns (1 - progress)^power, from 1 after the warm-up to `final_fraction` at the end.

    Caffe's `poly`; a power of 1 is a straight line.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{polynomial()(clock):.3f}"
        '0.750'
    """

    def shape(clock: Clock) -> jax.Array:
        left = 1.0 - _progress(clock)
        return final_fraction + (1.0 - final_fraction) * left**power

    return shape


def inverse(*, gamma: float = 1e-4, power: float = 0.75) -> Shape:
    """Returns (1 + gamma * step)^-power: Caffe's `inv`, with the figures of its LeNet.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{inverse(gamma=0.01, power=1.0)(clock):.3f}"
        '0.286'
    """
    return lambda clock: (1.0 + gamma * clock.step) ** -power


def plateau(
    *,
    factor: float = 0.1,
    patience: int = 5,
    every_epochs: float = 1.0,
    min_improvement: float = 0.0,
    drops: int = 3,
    stop: bool = False,
) -> Shape:
    """Returns 1: the drops are made where the validation error is known, see `optim.plateau`.

    Args:
        factor: multiplier of each drop.
        patience: evaluations in a row without improvement that make a drop.
        every_epochs: passes over train between two evaluations; `config.evaluation.every_epochs` is
            not looked at.
        min_improvement: by so much an error, as a fraction, must be below the best to improve.
        drops: largest number of drops.
        stop: whether the run ends where the next one would follow.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{plateau()(clock):.3f}"
        '1.000'
    """
    return constant()


def cosine(*, final_fraction: float = 0.0) -> Shape:
    """Returns half a cosine from 1 after the warm-up to `final_fraction` at the end.

    Loshchilov & Hutter 2017 (arXiv:1608.03983), equation 5, without restarts.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 0.0, 1000.0, 10.0)))
        >>> f"{cosine()(clock):.3f}"
        '0.854'
    """

    def shape(clock: Clock) -> jax.Array:
        half = 0.5 * (1.0 + jnp.cos(jnp.pi * _progress(clock)))
        return final_fraction + (1.0 - final_fraction) * half

    return shape


def _progress(clock: Clock) -> jax.Array:
    """How much of the run after the warm-up is made, from 0 to 1."""
    length = jnp.maximum(clock.total_steps - clock.warmup_steps, 1.0)
    return jnp.clip((clock.step - clock.warmup_steps) / length, 0.0, 1.0)


SCHEDULES: dict[str, Callable[..., Shape]] = {
    "constant": constant,
    "step": step,
    "piecewise": piecewise,
    "exponential": exponential,
    "polynomial": polynomial,
    "inverse": inverse,
    "plateau": plateau,
    "cosine": cosine,
}


def warmed_up(shape: Shape, form: str = "linear", factor: float = 0.1) -> Shape:
    """Returns a shape after a warm-up of w steps.

    Args:
        shape: multiplied by what follows; from step w on it stands alone.
        form: `linear`: step t is multiplied by (t + 1) / w. `constant`: by `factor`, as in He et
            al. 2015, arXiv:1512.03385, section 4.2 (0.01 before 0.1).
        factor: of the constant warm-up.

    Example:
        >>> clock = Clock(*map(jnp.array, (250.0, 1000.0, 1000.0, 10.0)))
        >>> f"{warmed_up(constant())(clock):.3f}"
        '0.251'
    """
    if form == "constant":
        return lambda clock: jnp.where(clock.step < clock.warmup_steps, factor, 1.0) * shape(clock)

    def warm(clock: Clock) -> jax.Array:
        ramp = (clock.step + 1.0) / jnp.maximum(clock.warmup_steps, 1.0)
        return jnp.minimum(ramp, 1.0) * shape(clock)

    return warm
