"""The config that every file in `configs/` starts from.

A file calls `base_config()`, assigns to it and returns it; one in `configs/ablations/` calls
`base_ablation()`. The config is locked: a key that `keys.SCHEMA` does not declare cannot be
assigned. `kwargs` are the open dicts: they hold arguments of the builder that the section names,
and are held against its signature by `validate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ml_collections import ConfigDict, config_dict

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.keys import SCHEMA, Config
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.published_preprocessing import PUBLISHED
from cnn_jax.config.search import Choice, LogUniform, Search, Stage, Uniform
from cnn_jax.config.values import MATHS, RUN, Key, NumberMap, OpenDict

T = TypeVar("T")
__all__ = [
    "MATHS",
    "RUN",
    "SCHEMA",
    "Ablation",
    "Choice",
    "Config",
    "Key",
    "LogUniform",
    "NumberMap",
    "OpenDict",
    "Search",
    "Stage",
    "Uniform",
    "base_ablation",
    "base_config",
    "base_search",
    "choose",
    "initial_value",
    "show_as",
]


def base_config() -> ConfigDict:
    """Returns a fresh, locked config that holds every declared key at its default."""
    config = ConfigDict()
    for section, keys in SCHEMA.items():
        config[section] = ConfigDict()
        for name, key in keys.items():
            config[section][name] = initial_value(key)
    return config.lock()


def base_ablation() -> Ablation:
    """Returns a fresh ablation, which takes no other names than those of `Ablation`."""
    return Ablation()


def base_search() -> Search:
    """Returns a fresh search, which takes no other names than those of `Search`."""
    return Search()


def initial_value(key: Key | OpenDict | NumberMap) -> Any:
    """Returns the default of a key as a config holds it."""
    if not isinstance(key, Key):
        return ConfigDict()
    if key.optional is not None:
        return config_dict.placeholder(key.optional)
    return key.default


def choose(variants: Mapping[str, T], word: str) -> T:
    """Returns what `word`, given after the colon of `--config=file.py:word`, stands for.

    Args:
        variants: the words of a config file.
        word: the given word.

    Raises:
        InputError: `word` is none of them.
    """
    if word not in variants:
        raise InputError(f"variant {word!r} is unknown{hint(word, variants)}")
    return variants[word]


def show_as(config: ConfigDict, published: str) -> None:
    """Sets how an evaluation shows images: as published weights want them.

    Args:
        config: whose `data.normalisation` and `test_crop` are set.
        published: a key of `published_preprocessing.PUBLISHED`, such as `torchvision/resnet`.
    """
    for path, value in PUBLISHED[published].keys().items():
        section, key = path.split(".")
        config[section][key] = value
