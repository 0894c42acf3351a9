"""Where a run departs from its paper: its config file, overrides, data that is not all."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cnn_jax.config.arguments import arguments
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

    Of a builder that was exchanged for another one, the arguments of the new one are listed; of
    another source those that are not at their defaults. A key that has no part in either run, as
    the border of a shift by no pixels, is no deviation; nor is another source of the same published
    images.
    """
    before, now = (_flat(maths_keys(to_tree(c))) for c in (as_in_file, config))
    same_images = _official(as_in_file.data, config.data)
    of_source = {
        f"data.kwargs.{name}": argument.default
        for name, argument in arguments("data")[config.data.source].items()
    }
    lines = []
    for key in sorted(now):
        if key.startswith("seed.") or (key in before and before[key] == now[key]):
            continue
        if not (_active(key, now) or _active(key, before)):
            continue
        if same_images and (key == "data.source" or key in of_source):
            continue
        if key not in before and key in of_source and now[key] == of_source[key]:
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


# Key -> the keys of which one must be on, for it to have a part in a run.
MOVES = (
    *("data.shift_pixels", "data.scale", "data.squeeze", "data.shear", "data.rotation_degrees"),
    "data.elastic_alpha",
)
DECAY = ("optim.weight_decay",)
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "data.border": MOVES,
    "data.elastic_sigma": ("data.elastic_alpha",),
    "data.shift_form": ("data.shift_pixels",),
    "data.validation_fold": ("data.validation_folds",),
    "data.validation_rule": ("data.validation_folds",),
    "colour.components": ("colour.name",),
    "data_dependent_init.examples": ("data_dependent_init.name",),
    "init_from.checkpoint": ("init_from.workdir",),
    "init_from.layers": ("init_from.workdir", "init_from.weights"),
    "optim.averaging_decay": ("optim.averaging",),
    "optim.averaging_start_epochs": ("optim.averaging",),
    "optim.decay_batch_norm": DECAY,
    "optim.decay_bias": DECAY,
    "optim.decay_multipliers": DECAY,
    "optim.decay_slope": DECAY,
    "optim.weight_decay_form": DECAY,
    "schedule.warmup_factor": ("schedule.warmup_epochs",),
    "schedule.warmup_form": ("schedule.warmup_epochs",),
    "train.auxiliary_weights": ("train.auxiliary_weight", "train.auxiliary_weights"),
}
OFF: Final[tuple[Any, ...]] = (None, "", 0, False, "none", {})


def _active(key: str, keys: Mapping[str, Any]) -> bool:
    """Whether a key has a part in the run of a config."""
    if key == "train.batch_norm_virtual_batch":
        return keys.get("train.batch_norm_scope") == "virtual"
    if key == "schedule.warmup_factor" and keys.get("schedule.warmup_form") != "constant":
        return False
    needed = next((on for name, on in NEEDS.items() if f"{key}.".startswith(f"{name}.")), None)
    return needed is None or any(keys.get(one) not in OFF for one in needed)


def _official(before: Any, now: Any) -> bool:
    """Whether two sections `data` name the same published images, untouched since."""
    untouched = {"tfds", *sources.OFFICIAL}
    names = [sources.dataset_name(data).partition("/")[0] for data in (before, now)]
    return {before.source, now.source} <= untouched and names[0] == names[1] != ""


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
