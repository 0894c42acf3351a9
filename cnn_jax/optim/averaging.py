"""Running averages of the parameters, which are evaluated beside them.

One step moves the average a by `weight * (w - a)` towards the new parameters w; only the weight
depends on the kind of average. The running statistics of batch norm are averaged along: they
belong to the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Weight = Callable[[jax.Array, jax.Array], jax.Array]


def ema(made: jax.Array, decay: jax.Array) -> jax.Array:
    """Exponential: 1 - min(decay, (1 + t) / (10 + t)).

    The ramp lets a short run forget its first parameters; Szegedy et al. 2015, arXiv:1512.00567,
    section 8, evaluate such an average; the ramp is TensorFlow's.

    Example:
        >>> f"{ema(jnp.array(9.0), jnp.array(0.9)):.3f}"  # 1 - 10 / 19
        '0.474'
    """
    return 1.0 - jnp.minimum(decay, (1.0 + made) / (10.0 + made))


def polyak(made: jax.Array, decay: jax.Array) -> jax.Array:
    """Of all steps alike, 1 / (t + 1): Polyak & Juditsky 1992; GoogLeNet names it.

    Example:
        >>> float(polyak(jnp.array(3.0), jnp.array(0.9)))
        0.25
    """
    return 1.0 / (made + 1.0)


AVERAGES: dict[str, Weight] = {"ema": ema, "polyak": polyak}


def averaged(weight: Weight, average: Any, new: Any, made: jax.Array, decay: jax.Array) -> Any:
    """Returns the average after a step.

    Args:
        weight: the kind of average.
        average: tree of the averages before the step.
        new: a tree like it, after the step.
        made: steps averaged before this one; below 0 the average is `new` itself.
        decay: of the exponential average.

    Example:
        >>> made, decay = jnp.array(1.0), jnp.array(0.9)
        >>> float(averaged(polyak, jnp.array(2.0), jnp.array(4.0), made, decay))
        3.0
    """
    share = jnp.where(made < 0, 1.0, weight(jnp.maximum(made, 0.0), decay))
    return jax.tree.map(lambda a, w: a + share.astype(a.dtype) * (w - a), average, new)
