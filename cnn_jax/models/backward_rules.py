"""Backward rules by name: what the rectifiers of a network let through on the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import jax

from cnn_jax.config.problems import InputError, hint
from cnn_jax.layers.rectified import deconvnet_relu, guided_relu

GRADIENT: Final = "gradient"  # the derivative itself, of any nonlinearity
RULES: Final[dict[str, Callable[[jax.Array], jax.Array] | None]] = {
    GRADIENT: None,
    "guided": guided_relu,
    "deconvnet": deconvnet_relu,
}


def check_rule(rule: str) -> None:
    """Checks the name of a rule.

    Raises:
        InputError: there is none of that name.
    """
    if rule not in RULES:
        raise InputError(f"rule {rule!r} is unknown{hint(rule, RULES)}")


def rectifier(rule: str, nonlinearity: str) -> Callable[[jax.Array], jax.Array] | None:
    """Returns the rectifier that goes back by this rule; None: the network's own nonlinearity.

    Args:
        rule: a key of `RULES`.
        nonlinearity: name of the network's.

    Raises:
        InputError: the rule is unknown, or is not defined for this nonlinearity.
    """
    check_rule(rule)
    if rule != GRADIENT and nonlinearity != "relu":
        raise InputError(
            f"rule {rule!r} is defined for rectifiers (relu), and the nonlinearity of this network "
            f"is {nonlinearity!r}: of the backward rules it has 'gradient' alone"
        )
    return RULES[rule]
