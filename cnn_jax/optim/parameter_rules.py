"""What is done to each parameter: weight decay by role, multipliers by name, freezing.

A pattern is a parameter's name such as `conv1/kernel`, a layer's or part's name in front of it
(`conv1`, `inception_4a`), or either with `*` for any letters: `*/bias`, `conv*`. All patterns that
match a parameter multiply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import jax

from cnn_jax.config.problems import InputError, hint

KERNEL, BIAS, BATCH_NORM, SLOPE = "kernel", "bias", "batch norm", "slope"


@dataclass(frozen=True)
class ParameterRule:
    """What is done to one parameter.

    Attributes:
        role: kernel, bias, batch norm (scale or shift) or slope (of PReLU).
        rate: multiplier of the learning rate.
        decay: multiplier of the weight decay.
        frozen: whether it keeps its value.
    """

    role: str
    rate: float
    decay: float
    frozen: bool


@dataclass(frozen=True)
class ParameterRules:
    """The rules of all parameters.

    Attributes:
        decay_by_role: multipliers of the weight decay; a role that is left out has 0.
        rate_multipliers: pattern -> multiplier of the learning rate.
        decay_multipliers: pattern -> multiplier of the weight decay.
        frozen: patterns of parameters that keep their values.

    Example:
        >>> rules = ParameterRules(rate_multipliers={"*/bias": 2.0}, frozen=("conv1",))
        >>> rules.of("fc8/bias")
        ParameterRule(role='bias', rate=2.0, decay=0.0, frozen=False)
        >>> rules.of("conv1/kernel").frozen
        True
    """

    decay_by_role: Mapping[str, float] = field(default_factory=lambda: {KERNEL: 1.0})
    rate_multipliers: Mapping[str, float] = field(default_factory=dict)
    decay_multipliers: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()

    def of(self, name: str) -> ParameterRule:
        """Returns the rule of the parameter `name`."""
        frozen = any(matches(pattern, name) for pattern in self.frozen)
        decay = self.decay_by_role.get(role_of(name), 0.0) * _product(self.decay_multipliers, name)
        rate = _product(self.rate_multipliers, name)
        return ParameterRule(
            role_of(name), 0.0 if frozen else rate, 0.0 if frozen else decay, frozen
        )

    def map(self, change: Callable[..., Any], tree: Any, *others: Any) -> Any:
        """Returns the tree of `change(rule, leaf, *leaves of the others)`."""
        return jax.tree_util.tree_map_with_path(
            lambda path, *leaves: change(self.of(name_of(path)), *leaves), tree, *others
        )

    def check(self, params: Any) -> None:
        """Checks that every pattern names a parameter.

        Raises:
            InputError: one does not.
        """
        names = [name_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        given = {
            "rate_multipliers": self.rate_multipliers,
            "decay_multipliers": self.decay_multipliers,
            "frozen": self.frozen,
        }
        for key, patterns in given.items():
            for pattern in patterns:
                if not any(matches(pattern, name) for name in names):
                    raise InputError(
                        f"config.optim.{key} names {pattern!r}: no such parameter"
                        f"{hint(pattern, parts_of(names))}"
                    )


def rules_of(optim: Any) -> ParameterRules:
    """Returns the rules that `config.optim` describes."""
    return ParameterRules(
        decay_by_role={
            KERNEL: 1.0,
            BIAS: optim.decay_bias,
            BATCH_NORM: optim.decay_batch_norm,
            SLOPE: optim.decay_slope,
        },
        rate_multipliers=optim.rate_multipliers.to_dict(),
        decay_multipliers=optim.decay_multipliers.to_dict(),
        frozen=patterns_in(optim.frozen),
    )


def name_of(path: Any) -> str:
    """Returns the name of a path in the parameter tree: `conv1/kernel`.

    Example:
        >>> (path, _), *_ = jax.tree_util.tree_leaves_with_path({"conv1": {"kernel": 0.0}})
        >>> name_of(path)
        'conv1/kernel'
    """
    return "/".join(entry.key for entry in path)


def role_of(name: str) -> str:
    """Returns the role of a parameter, told by its name.

    Example:
        >>> role_of("conv1/kernel"), role_of("conv1/bias"), role_of("conv1_bn/bias")
        ('kernel', 'bias', 'batch norm')
    """
    layer, _, kind = name.rpartition("/")
    if kind in (KERNEL, SLOPE):
        return kind
    return BATCH_NORM if kind == "scale" or layer.endswith("_bn") else BIAS


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern means a parameter, or a layer or part that it is in.

    Example:
        >>> matches("conv1", "conv1/kernel"), matches("*/bias", "conv1/kernel")
        (True, False)
    """
    return any(fnmatchcase(part, pattern) for part in _parts(name))


def parts_of(names: Iterable[str]) -> set[str]:
    """Returns all that a pattern without `*` can mean: parameters, and what they are in.

    Example:
        >>> sorted(parts_of(["conv1/kernel", "conv1/bias"]))
        ['conv1', 'conv1/bias', 'conv1/kernel']
    """
    return {part for name in names for part in _parts(name)}


def patterns_in(text: str) -> tuple[str, ...]:
    """Returns the patterns of a comma-separated list.

    Example:
        >>> patterns_in("conv1, */bias")
        ('conv1', '*/bias')
    """
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _parts(name: str) -> list[str]:
    words = name.split("/")
    return ["/".join(words[:end]) for end in range(len(words), 0, -1)]


def _product(multipliers: Mapping[str, float], name: str) -> float:
    return math.prod((v for pattern, v in multipliers.items() if matches(pattern, name)), start=1.0)
