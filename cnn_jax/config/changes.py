"""Changes of a config by dotted keys, as a level of a factor or a trial of a search makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.arguments import REGISTRIES, arguments, builder_field, fill_defaults
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError, hint


def changed(config: ConfigDict, changes: Mapping[str, Any]) -> ConfigDict:
    """Returns a copy of a config with other values; it still has to be validated.

    Where another builder is named (`model.name`), the arguments of the one before go with it.

    Args:
        config: is left as it is.
        changes: dotted key -> value, as {"optim.learning_rate": 0.1, "model.kwargs.norm": "batch"}.

    Raises:
        InputError: a key does not exist.
    """
    copy = ConfigDict(config.to_dict())
    builders = {f"{section}.{builder_field(section)}" for section in REGISTRIES}
    # Builders first, whatever the order: their arguments are then those of the new one.
    for path in sorted(changes, key=lambda path: path not in builders):
        parts, value = path.split("."), changes[path]
        _check(path, parts)
        section = parts[0]
        if path in builders and value != copy[section][parts[1]]:
            copy[section]["kwargs"] = ConfigDict()
        _set(copy, parts, value)
        if path in builders and value in arguments(section):
            fill_defaults(copy)
    return fill_defaults(copy)


def _check(path: str, parts: list[str]) -> None:
    section, names = parts[0], parts[1:]
    if section not in SCHEMA:
        raise InputError(f"config.{path} is unknown{hint(section, SCHEMA)}")
    if not names:
        raise InputError(f"config.{path} is a section: name one of its keys, as {path}.KEY")
    if names[0] not in SCHEMA[section]:
        raise InputError(f"config.{path} is unknown{hint(names[0], SCHEMA[section])}")


def _set(config: ConfigDict, parts: list[str], value: Any) -> None:
    here = config
    for i, name in enumerate(parts[:-1], start=1):
        here = here.get(name)
        if not isinstance(here, ConfigDict):
            where = ".".join(parts[:i])
            raise InputError(f"config.{'.'.join(parts)}: config.{where} holds no keys")
    with here.unlocked(), here.ignore_type():
        here[parts[-1]] = value
