"""Optimizers by name: optax transformations built inside the step from traced hyper-parameters.

Building them inside the step is what keeps rate, momentum and decay out of the compiled program's
constants; the structure of the optimizer's state depends on the name alone.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import optax

Rate = jax.Array | float


def sgd(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Plain gradient descent; momentum is ignored."""
    return optax.sgd(rate)


def momentum(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Gradient descent with momentum: v <- m v + g, w <- w - rate v."""
    return optax.sgd(rate, momentum)


def nesterov(rate: Rate, momentum: Rate) -> optax.GradientTransformation:
    """Nesterov's momentum: v <- m v + g, w <- w - rate (m v + g)."""
    return optax.sgd(rate, momentum, nesterov=True)


def adadelta(
    rate: Rate, momentum: Rate, *, rho: float = 0.95, epsilon: float = 1e-6
) -> optax.GradientTransformation:
    """Adadelta (Zeiler 2012, arXiv:1212.5701); a rate of 1 is the paper's; momentum is ignored."""
    return optax.adadelta(rate, rho=rho, eps=epsilon)


def adam(
    rate: Rate, momentum: Rate, *, beta_2: float = 0.999, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980); momentum is beta_1."""
    return optax.adam(rate, b1=momentum, b2=beta_2, eps=epsilon)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adadelta": adadelta,
    "adam": adam,
}
