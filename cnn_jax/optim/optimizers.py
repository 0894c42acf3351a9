"""Optimizers by name: optax transformations built inside the step from traced hyper-parameters.

Building them inside the step is what keeps rate, momentum and decay out of the compiled program's
constants; the structure of the optimizer's state depends on the name alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Rate = jax.Array | float


def sgd(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Plain gradient descent; momentum is ignored.

    Example:
        >>> optimizer = sgd(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.200'
    """
    return optax.sgd(rate)


def momentum(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Gradient descent with momentum, the common form: v <- m v + g, w <- w - rate v.

    A change of the rate acts on the whole velocity at once.

    Example:
        >>> optimizer = momentum(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.200'
    """
    return optax.sgd(rate, momentum)


def momentum_2012(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Gradient descent with momentum as printed in 2012: v <- m v - rate g, w <- w + v.

    Krizhevsky et al. 2012 (NIPS), section 5; Caffe has the same. After a change of the rate, the
    velocity keeps what it gathered at the old one: the two forms agree while the rate is constant.

    Example:
        >>> optimizer = momentum_2012(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.200'
    """
    return optax.chain(optax.scale(-rate), optax.trace(momentum))


def nesterov(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Nesterov's momentum: v <- m v + g, w <- w - rate (m v + g).

    Example:
        >>> optimizer = nesterov(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.380'
    """
    return optax.sgd(rate, momentum, nesterov=True)


def rmsprop(
    rate: Rate, momentum: Rate, *, decay: float = 0.9, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """RMSProp, the common form: v <- m v + g / (sqrt(s) + epsilon), w <- w - rate v.

    s <- d s + (1 - d) g^2 begins at 0, epsilon stands outside the root (Tieleman & Hinton 2012,
    lecture 6.5; PyTorch has the same).

    Example:
        >>> optimizer = rmsprop(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.316'
    """
    scale = optax.scale_by_rms(decay, epsilon, initial_scale=0.0, eps_in_sqrt=False)
    return optax.chain(scale, optax.trace(momentum), optax.scale(-rate))


def rmsprop_tf(
    rate: Rate, momentum: Rate, *, decay: float = 0.9, epsilon: float = 1.0
) -> optax.GradientTransformation:
    """RMSProp, TensorFlow's form: v <- m v + rate g / sqrt(s + epsilon), w <- w - v.

    s <- d s + (1 - d) g^2 begins at 1, epsilon stands inside the root and the rate inside the
    velocity: the form of Szegedy et al. 2015, arXiv:1512.00567, section 8, with decay 0.9 and
    epsilon 1.0.

    Example:
        >>> optimizer = rmsprop_tf(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.132'
    """
    scale = optax.scale_by_rms(decay, epsilon, initial_scale=1.0, eps_in_sqrt=True)
    return optax.chain(scale, optax.scale(-rate), optax.trace(momentum))


def adadelta(
    rate: Rate, momentum: Rate, *, rho: float = 0.95, epsilon: float = 1e-6
) -> optax.GradientTransformation:
    """Adadelta (Zeiler 2012, arXiv:1212.5701); a rate of 1 is the paper's; momentum is ignored.

    ConvNetJS has the same with epsilon 1e-8, and `weight_decay_form=l2_per_batch`.

    Example:
        >>> optimizer = adadelta(1.0, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(0.0), 0.0)
        >>> f"{update:.4f}"
        '-0.0045'
    """
    return optax.adadelta(rate, rho=rho, eps=epsilon)


def adam(
    rate: Rate, momentum: Rate, *, beta_2: float = 0.999, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980); momentum is beta_1.

    Example:
        >>> optimizer = adam(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.100'
    """
    return optax.adam(rate, b1=momentum, b2=beta_2, eps=epsilon)


def adamw(
    rate: Rate, momentum: Rate, *, beta_2: float = 0.999, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2); momentum is beta_1.

    Adam, and the weight decay beside the gradient, w <- w - rate lambda w, whatever
    `weight_decay_form` says. The step adds it, as it does for every optimizer.

    Example:
        >>> optimizer = adamw(0.1, 0.9)
        >>> update, _ = optimizer.update(jnp.array(2.0), optimizer.init(jnp.array(0.0)))
        >>> f"{update:.3f}"
        '-0.100'
    """
    return adam(rate, momentum, beta_2=beta_2, epsilon=epsilon)


class LevenbergMarquardtState(NamedTuple):
    """What `diagonal_levenberg_marquardt` keeps.

    Attributes:
        curvature: second derivative of each parameter, of the last whole measurement.
        gathered: its mean over the batches of the measurement that is being made.
        step: int32, steps made.
    """

    curvature: Any
    gathered: Any
    step: jax.Array


def diagonal_levenberg_marquardt(
    rate: Rate, momentum: Rate, *, damping: float = 0.02, batches: int = 500, every: int = 60_000
) -> optax.GradientTransformationExtraArgs:
    """Stochastic diagonal Levenberg-Marquardt, w <- w - rate / (damping + h) g; no momentum.

    LeCun et al. 1998, Proc. IEEE 86(11), appendix C, with the damping of section III.A; h is the
    second derivative of the loss by each parameter, see `step.curvature`. As in the paper it is the
    mean over 500 examples at the beginning of each pass over 60,000, which is what the defaults are
    with batches of one. It is measured on the batches of the run itself: until the first
    measurement is whole the parameters stay where they are, as in the paper, which measures before
    it trains; later ones are made while training goes on by the one before. Where the loss flattens
    as it falls h goes to zero with it, and the steps grow: then it is better measured once,
    `every=0`.

    Args:
        rate: eta of the paper.
        momentum: none.
        damping: mu of the paper.
        batches: of a measurement.
        every: steps from the beginning of a measurement to that of the next; 0: there is one alone.

    Example:
        >>> optimizer = diagonal_levenberg_marquardt(0.1, 0.0, damping=0.0, batches=1)
        >>> w = jnp.array(3.0)
        >>> update, _ = optimizer.update(2 * w, optimizer.init(w), w, second=lambda: jnp.array(2.0))
        >>> f"{update:.3f}"
        '-0.300'
    """

    def init(params: Any) -> LevenbergMarquardtState:
        # Zeros of their own: a step gives its old arrays up, and may not give one up twice.
        first, second = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return LevenbergMarquardtState(first, second, jnp.zeros((), jnp.int32))

    def update(
        grads: Any,
        state: LevenbergMarquardtState,
        params: Any = None,
        *,
        second: Callable[[], Any],
        **_: Any,
    ) -> tuple[Any, LevenbergMarquardtState]:
        del params
        number = state.step % every if every else state.step

        def measured(kept: tuple[jax.Array, Any, Any]) -> tuple[jax.Array, Any, Any]:
            _, before, gathered = kept
            weight = 1 / (number + 1).astype(float)

            def with_this(before: jax.Array, now: jax.Array) -> jax.Array:
                return before + weight.astype(before.dtype) * (now - before)

            gathered = jax.tree.map(with_this, gathered, second())
            whole = number == batches - 1
            curvature = jax.tree.map(partial(jnp.where, whole), gathered, before)
            return jnp.array(False), curvature, gathered

        # A loop of one turn or none: unlike `cond` it leaves what it does not change in its place.
        due = (number < batches, state.curvature, state.gathered)
        curvature, gathered = jax.lax.while_loop(lambda kept: kept[0], measured, due)[1:]
        known = state.step >= batches - 1

        def move(g: jax.Array, h: jax.Array) -> jax.Array:
            return jnp.where(known, -rate * g / (damping + h), 0)

        updates = jax.tree.map(move, grads, curvature)
        return updates, LevenbergMarquardtState(curvature, gathered, state.step + 1)

    return optax.GradientTransformationExtraArgs(init, update)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": sgd,
    "momentum": momentum,
    "momentum_2012": momentum_2012,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "rmsprop_tf": rmsprop_tf,
    "adadelta": adadelta,
    "adam": adam,
    "adamw": adamw,
    "diagonal_levenberg_marquardt": diagonal_levenberg_marquardt,
}
DECOUPLED = ("adamw",)  # their weight decay stands beside the gradient by definition
