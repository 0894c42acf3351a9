"""Where a run departs from its paper: its config file, overrides, data that is not all."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_jax.config.identity import maths_keys, to_tree
from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.diagnostics.published_rows import recipe_of


def known_deviations(config_file: str) -> list[str]:
    """Returns what the header of a config file lists under `Known deviations:`, for its word.

    An item that begins with words in backquotes and a colon holds for these words alone.
    """
    header = ast.get_docstring(ast.parse(Path(config_file.partition(":")[0]).read_text())) or ""
    listed = re.search(r"^Known deviations:\n((?:[- ].*\n?)*)", header, re.MULTILINE)
    items = re.split(r"^- ", listed[1], flags=re.MULTILINE)[1:] if listed else []
    word = recipe_of(config_file).partition(":")[2]
    kept = []
    for text in (" ".join(item.split()) for item in items):
        words = re.match(r"((?:`[^`]+`(?:, )?)+): ", text)
        if words is None:
            kept.append(text)
        elif f"`{word}`" in words[1]:
            kept.append(text[words.end() :])
    return kept


def changes(as_in_file: Config, config: Config) -> list[str]:
    """Returns what a config sets differently from its file, less seeds; a line a key.

    Of a builder that was exchanged for another one, the arguments of the new one are listed.
    """
    before, now = (_flat(maths_keys(to_tree(c))) for c in (as_in_file, config))
    lines = []
    for key in sorted(now):
        if key.startswith("seed.") or (key in before and before[key] == now[key]):
            continue
        instead = f", the config file {before[key]!r}" if key in before else ""
        lines.append(f"this run has {key} = {now[key]!r}{instead}")
    return lines


def _flat(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys by their dotted names, the arguments of a builder each on its own."""
    flat: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, Mapping):
            flat |= _flat({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat


def partial_data(data: Any) -> list[str]:
    """Returns in what the prepared data of a run is only a part of the official set.

    Args:
        data: `config.data`, validated.
    """
    manifest = sources.manifest_of(data) or {}
    return [f"the data is a part: {text}" for text in manifest.get("partial", [])]


def stored_data(data: Any) -> list[str]:
    """Returns what a store has done to the images of a run.

    Args:
        data: `config.data`, validated.
    """
    manifest = sources.manifest_of(data) or {}
    if "store" not in manifest:
        return []
    form, _, side = manifest["store"]["format"].partition("_")
    return [f"the images were resized once to a shorter side of {side}, and kept as {form}"]
