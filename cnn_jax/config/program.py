"""What of a config is part of the compiled program, and what reaches it as arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnn_jax.config.keys import SCHEMA, OpenDict


def program_tree(tree: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns a config tree without the keys and arguments that are traced.

    Two runs share a program if this is equal, and if they use the same traced keys: a clipping norm
    or a dropout rate of 0 is left out of the program.

    Args:
        tree: a config as JSON would hold it.
    """
    kept: dict[str, dict[str, Any]] = {}
    for section, keys in SCHEMA.items():
        kept[section] = {}
        for name, key in keys.items():
            value = tree[section][name]
            if isinstance(key, OpenDict):
                kept[section][name] = {k: v for k, v in value.items() if k not in key.traced}
            elif not key.traced:
                kept[section][name] = value
    return kept
