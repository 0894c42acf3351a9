"""Configs that an earlier version wrote: keys that came since are filled in.

The default of a new key means "as before", so the completed config describes the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.schema import initial_value


def complete(tree: Mapping[str, Any]) -> tuple[ConfigDict, list[str]]:
    """Returns a saved config with the keys and builder arguments that it lacks at their defaults.

    Nothing else is changed: what this version does not know, `validate` refuses.

    Args:
        tree: the config as JSON holds it.

    Returns:
        The config, and the names of what was filled in, such as `train.remat`.
    """
    config = ConfigDict(dict(tree))
    before = set(_names(config))
    for section, keys in SCHEMA.items():
        if section not in config:
            config[section] = ConfigDict()
        if not isinstance(config[section], ConfigDict):
            continue
        for name, key in keys.items():
            if name not in config[section]:
                config[section][name] = initial_value(key)
    fill_defaults(config)
    return config, [name for name in _names(config) if name not in before]


def _names(config: ConfigDict) -> list[str]:
    names = []
    for section, keys in config.items():
        for name in keys if isinstance(keys, ConfigDict) else ():
            names.append(f"{section}.{name}")
            if name == "kwargs" and isinstance(keys[name], ConfigDict):
                names += [f"{section}.kwargs.{argument}" for argument in keys[name]]
    return names
