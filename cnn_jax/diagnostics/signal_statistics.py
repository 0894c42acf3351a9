"""Activations and gradients of every layer before the first step, under several initialisations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.changes import changed
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.initializers.data_dependent import DATA_DEPENDENT
from cnn_jax.training.layer_statistics import LayerStatistics, Statistics
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import prepare

BY_SCHEME = Mapping[str, Statistics]


def listed(text: str) -> list[str]:
    """Returns what stands between commas, but those inside brackets."""
    return [word.strip() for word in re.split(r",(?![^(]*\))", text) if word.strip()]


def compare_schemes(config: Config, schemes: Sequence[str]) -> dict[str, Statistics]:
    """Returns the statistics of every layer at step 0, by scheme.

    All schemes see the same batch, and go through one compiled program.

    Args:
        config: the whole config, validated.
        schemes: each an initialiser for all kernels, as `he_normal(mode=fan_out)`; `published`,
            what the config says; or a data-dependent initialisation, as `lsuv`.

    Raises:
        InputError: a scheme that does not exist, or one that meets a dead layer.
    """
    first = prepare(config)
    statistics, by_scheme = LayerStatistics(first), {}
    for scheme in schemes:
        try:
            run = prepare(_under(scheme, config), first.preprocessing, first.dataset, first.devices)
            with Waiting(f"measuring {scheme}"):
                by_scheme[scheme] = statistics.measure(run.initial_state(), 0)
        except InputError as error:
            raise InputError([f"{scheme}: {problem}" for problem in error.problems]) from error
    return by_scheme


def table(by_scheme: BY_SCHEME, statistic: str) -> str:
    """Returns a markdown table of one statistic: a row a layer, a column a scheme.

    Args:
        by_scheme: of `compare_schemes`.
        statistic: a key of `layer_statistics.STATISTICS`.
    """
    layers = list(next(iter(by_scheme.values())))
    lines = [f"| layer | {' | '.join(by_scheme)} |", f"|---|{'---:|' * len(by_scheme)}"]
    for layer in layers:
        values = (by_scheme[scheme][layer].get(statistic, math.nan) for scheme in by_scheme)
        lines.append(f"| {layer} | {' | '.join(_number(value) for value in values)} |")
    return "\n".join(lines)


def _under(scheme: str, config: Config) -> Any:
    if scheme == "published":
        return config
    changes: dict[str, Any] = {"data_dependent_init.name": "none"}
    if scheme in DATA_DEPENDENT:
        changes["data_dependent_init.name"] = scheme
    else:
        changes["model.kwargs.kernel_init"] = scheme
    return validate(changed(ConfigDict(config.to_dict()), changes))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"
