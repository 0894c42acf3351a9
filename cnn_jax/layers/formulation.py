"""Which formulation of an operation each platform runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

PLAIN = "plain"
CANONICAL = "canonical"

FORMULATIONS = {"cpu": CANONICAL, "gpu": PLAIN, "tpu": PLAIN}

_override: ContextVar[str | None] = ContextVar("formulation", default=None)


def current() -> str:
    """Name the formulation in force, read while a function is traced.

    Returns:
        `'canonical'`: custom gradients in the form that XLA:CPU runs fast, inside loops too;
        `'plain'`: the XLA operations and JAX's own gradients.

    Example:
        >>> current() in (PLAIN, CANONICAL)
        True
    """
    return _override.get() or FORMULATIONS.get(jax.default_backend(), PLAIN)


@contextmanager
def use(name: str) -> Iterator[None]:
    """Override the platform's formulation for what is traced inside the block.

    A function that is already compiled keeps the formulation it was traced with. `'plain'` is also
    the way to forward-mode derivatives (`jax.jvp`, `jax.jacfwd`, `jax.linearize`) on CPU, which
    the custom gradients of `'canonical'` exclude.

    Args:
        name: `'plain'` or `'canonical'`.

    Raises:
        ValueError: for any other name.

    Example:
        >>> with use("plain"):
        ...     print(current())
        plain
    """
    if name not in (PLAIN, CANONICAL):
        raise ValueError(f"formulation {name!r}: allowed are {PLAIN!r} and {CANONICAL!r}")
    token = _override.set(name)
    try:
        yield
    finally:
        _override.reset(token)
