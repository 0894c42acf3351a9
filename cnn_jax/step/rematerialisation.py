"""Less memory for more arithmetic: what the backward pass computes again instead of keeping it.

Chen et al. 2016, arXiv:1604.06174. What is kept is said here in terms of the program; whether peak
memory falls is up to the compiler: XLA:CPU of jax 0.10 undoes it, see `train --estimate`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import flax.linen as nn
import jax

from cnn_jax.models.layered import Part

# Convolutions and products; a convolution with a gradient of our own is a call of that kind.
KEPT = frozenset({"conv_general_dilated", "dot_general", "custom_vjp_call"})


def rematerialised(forward: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """Returns a function of the same values whose backward pass keeps less.

    Args:
        forward: applies the network.
        kind: `none`; `pointwise`: the results of convolutions and products are kept, and all else
            is computed again; `parts`: what goes into each part of the network (a residual block,
            an Inception module) is kept, and the inside is computed again.
    """
    if kind == "pointwise":
        return jax.checkpoint(forward, policy=lambda kind, *_, **__: kind.name in KEPT)
    if kind == "parts":

        def by_parts(*arguments: Any) -> Any:
            with _parts_again():
                return forward(*arguments)

        return by_parts
    return forward


def _parts_again() -> AbstractContextManager[Any]:
    """Wraps every call of a part, not those of parts inside it."""
    inside: list[bool] = []

    def intercept(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        part = context.module
        if inside or not isinstance(part, Part) or context.method_name != "__call__":
            return method(*args, **kwargs)
        x, *others = args

        def call(part: Part, x: jax.Array) -> Any:
            return type(part).__call__(part, x, *others, **kwargs)

        inside.append(True)
        try:
            return nn.remat(call)(part, x)
        finally:
            inside.pop()

    return nn.intercept_methods(intercept)
