"""L-BFGS on pixels, within bounds: scipy's, on a function that jax compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from cnn_jax.config.problems import InputError

Report = Callable[[int, int], None]


def minimise(
    loss: Callable[[jax.Array], jax.Array],
    start: np.ndarray,
    iterations: int,
    bounds: tuple[float, float] | None = None,
    report: Report = lambda done, of: None,
) -> tuple[np.ndarray, list[float]]:
    """Returns where a function is least, near a start, and its value after each iteration.

    R. Byrd, P. Lu, J. Nocedal, C. Zhu (1995), A limited memory algorithm for bound constrained
    optimization.

    Args:
        loss: array of the start's shape -> scalar; it is differentiated and compiled.
        start: any shape.
        iterations: at most so many.
        bounds: that every number keeps to; None: none.
        report: is told how many iterations of all are done.

    Raises:
        InputError: the function is not finite at the start.
    """
    compiled = jax.jit(jax.value_and_grad(loss))
    values: list[float] = []
    last = [np.nan]

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = compiled(jnp.asarray(flat.reshape(start.shape), jnp.float32))
        last[0] = float(value)
        return last[0], np.asarray(slope, np.float64).ravel()

    def iterated(intermediate_result: Any) -> None:
        values.append(float(intermediate_result.fun))
        report(len(values), iterations)

    first = start.astype(np.float64).ravel()
    if not np.isfinite(both(first)[0]):
        raise InputError("the loss is not finite at the start: is the network sound?")
    found = minimize(
        both,
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=None if bounds is None else [bounds] * first.size,
        callback=iterated,
        options={"maxiter": iterations, "maxfun": 2 * iterations + 20, "maxcor": 10, "ftol": 1e-12},
    )
    return found.x.reshape(start.shape).astype(np.float32), values or [float(found.fun)]
