"""What is done to every parameter, as text: a recipe that is not what one thinks is seen here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import jax

from cnn_jax.config.aligned import aligned
from cnn_jax.optim.parameter_rules import ParameterRule, ParameterRules, name_of

HEAD = ("parameter", "shape", "numbers", "role", "decay", "rate", "")


@dataclass(frozen=True)
class Parameter:
    """One array of the network.

    Attributes:
        name: such as `conv1/kernel`.
        shape: of the array.
        rule: what is done to it.
    """

    name: str
    shape: tuple[int, ...]
    rule: ParameterRule

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def parameters_of(params: Any, rules: ParameterRules) -> list[Parameter]:
    """Lists the arrays of a parameter tree; only their shapes are looked at."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [Parameter(name_of(path), leaf.shape, rules.of(name_of(path))) for path, leaf in leaves]


def parameter_table(parameters: list[Parameter], weight_decay: float) -> str:
    """Returns one line for each array: shape, role, decay, multiplier of the rate, frozen.

    Args:
        parameters: of the network.
        weight_decay: lambda, which the multipliers of the decay multiply.
    """
    rows = [HEAD] + [_row(parameter, weight_decay) for parameter in parameters]
    return "\n".join([*aligned(rows), "", *parameter_summary(parameters, weight_decay)]) + "\n"


def parameter_summary(parameters: list[Parameter], weight_decay: float) -> list[str]:
    """Returns a line for each group of arrays that are treated alike, the largest first."""
    groups: dict[tuple[str, str], list[Parameter]] = {}
    for parameter in parameters:
        treated = ", ".join(part for part in _treatment(parameter.rule, weight_decay) if part)
        groups.setdefault((parameter.rule.role, treated), []).append(parameter)
    by_size = sorted(groups.items(), key=lambda item: -sum(p.numbers for p in item[1]))
    return [
        f"{role}: {len(members)} arrays, {sum(p.numbers for p in members):,} numbers, {treated}"
        for (role, treated), members in by_size
    ]


def _row(parameter: Parameter, weight_decay: float) -> tuple[str, ...]:
    rule, shape = parameter.rule, "x".join(map(str, parameter.shape)) or "scalar"
    decay, rate = f"{rule.decay * weight_decay:g}", f"x{rule.rate:g}"
    frozen = "frozen" if rule.frozen else ""
    return parameter.name, shape, f"{parameter.numbers:,}", rule.role, decay, rate, frozen


def _treatment(rule: ParameterRule, weight_decay: float) -> tuple[str, str]:
    if rule.frozen:
        return "frozen", ""
    rate = "" if rule.rate == 1 else f"rate x{rule.rate:g}"
    return f"decay {rule.decay * weight_decay:g}", rate
