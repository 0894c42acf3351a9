"""Changes of a config by dotted keys: a level of a factor, a trial of a search, a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.arguments import REGISTRIES, arguments, builder_field, fill_defaults
from cnn_jax.config.keys import SCHEMA, Config
from cnn_jax.config.problems import InputError, brief, shown
from cnn_jax.config.unknown_keys import as_in, unknown_argument, unknown_key
from cnn_jax.config.values import OpenDict, Values

BUILDERS = {f"{section}.{builder_field(section)}" for section in REGISTRIES}


def changed(config: Config, changes: Mapping[str, Any]) -> ConfigDict:
    """Returns a copy of a config with other values; it still has to be validated.

    Where another builder is named (`model.name`), the arguments of the one before go with it.

    Args:
        config: is left as it is.
        changes: dotted key -> value, as {"optim.learning_rate": 0.1, "model.kwargs.norm": "batch"};
            an entry of a map is named after it, as {"model.kwargs.dropout_rate.fc6": 0.3}.

    Raises:
        InputError: a key does not exist.
    """
    copy = ConfigDict(config.to_dict())
    # Builders first, whatever the order: their arguments are then those of the new one.
    for path in sorted(changes, key=lambda path: path not in BUILDERS):
        parts, value = _parts(path), changes[path]
        if len(parts) == 1:
            raise InputError(f"config.{path} is a section: name one of its keys, as {path}.KEY")
        section, here = parts[0], copy.get(parts[0])
        if path in BUILDERS and isinstance(here, ConfigDict) and value != here.get(parts[1]):
            here["kwargs"] = ConfigDict()
        _set(copy, parts, value)
        if path in BUILDERS and isinstance(value, str) and value in arguments(section):
            fill_defaults(copy)
    return fill_defaults(copy)


def overridden(config: Config, overrides: Sequence[tuple[str, str]]) -> ConfigDict:
    """Returns a copy of a config with the overrides of a command line; it has to be validated.

    Args:
        config: is left as it is.
        overrides: dotted keys and texts, as ("train.epochs", "3"); of two with one key the later
            counts. A text is a word or a literal, as the key takes them.

    Raises:
        InputError: a key does not exist, a text stands for no value of its key, or an override
            undoes one before it.
    """
    texts: dict[str, str] = {}
    for path, text in overrides:
        if undone := [other for other in texts if other.startswith(f"{path}.")]:
            raise InputError(f"--config.{path} undoes --config.{undone[0]}: give it first")
        texts.pop(path, None)
        texts[path] = text
    copy = ConfigDict(config.to_dict())
    for section in [path for path in texts if path in SCHEMA]:
        copy[section] = _read_section(section, texts.pop(section))
    copy = changed(copy, {path: texts.pop(path) for path in BUILDERS & texts.keys()})
    values = {path: _read(path, text, values_at(copy, path)) for path, text in texts.items()}
    return changed(copy, values)


def values_at(config: Config, path: str) -> Values:
    """Returns the values that a dotted key takes, which may be an argument or an entry of a map.

    Raises:
        InputError: there is no such argument, or no map that could have the entry.
    """
    section, name, *rest = _parts(path)
    key = SCHEMA[section][name]
    if not rest:
        return key.values
    if not isinstance(key, OpenDict):
        return _entry_values(path, key.values)
    builder = _builder(config, section)
    accepted = arguments(section).get(builder)
    if accepted is None:
        return Values(anything=True)  # `validate` tells that there is no such builder
    if rest[0] not in accepted:
        kwargs = f"config.{section}.{name}"
        raise InputError(unknown_argument(kwargs, rest[0], builder, accepted))
    values = accepted[rest[0]].values
    return values if len(rest) == 1 else _entry_values(path, values)


def _read(path: str, text: str, values: Values) -> Any:
    try:
        return values.read(text)
    except ValueError as error:
        _, name, *rest = _parts(path)
        is_entry = len(rest) > 1 or (len(rest) == 1 and name != "kwargs")
        example = "" if is_entry else as_in(path)
        raise InputError(f"--config.{path}={brief(text)}: {error}{example}") from error


def _read_section(section: str, text: str) -> Any:
    try:
        return Values(entries=Values(anything=True)).read(text)
    except ValueError as error:
        keys = ", ".join(f"--config.{section}.{name}" for name in SCHEMA[section])
        raise InputError(
            f"--config.{section}={brief(text)} is a section: name one of its keys: {keys}"
        ) from error


def _parts(path: str) -> list[str]:
    """Returns section, key, argument and entry of a dotted key, as many as it has.

    What follows the name of a map is the name of an entry, dots and all.
    """
    section, *names = path.split(".", 2)
    if section not in SCHEMA or (names and names[0] not in SCHEMA[section]):
        raise InputError(unknown_key(path))
    if len(names) == 2 and isinstance(SCHEMA[section][names[0]], OpenDict):
        return [section, names[0], *names[1].split(".", 1)]
    return [section, *names]


def _entry_values(path: str, values: Values) -> Values:
    if values.anything:
        return values
    if values.entries is None:
        where = path.rpartition(".")[0]
        raise InputError(f"config.{path}: config.{where} holds no keys but {values.described()}")
    return values.entries


def _set(config: ConfigDict, parts: Sequence[str], value: Any) -> None:
    here = config
    for i, name in enumerate(parts[:-1], start=1):
        if i == 3 and _stands_for_no_entries(config, parts):
            with here.unlocked(), here.ignore_type():
                here[name] = ConfigDict()
        here = here.get(name)
        if not isinstance(here, ConfigDict):
            values_at(config, ".".join(parts))  # tells, if no map can stand there
            where, whole = ".".join(parts[:i]), {".".join(parts[i:]): value}
            raise InputError(
                f"config.{'.'.join(parts)}: config.{where} = {shown(here)} is no map that has "
                f"entries{as_in(where, whole)}"
            )
    try:
        with here.unlocked(), here.ignore_type():
            here[parts[-1]] = value
    except (ValueError, TypeError) as error:  # a name in a map that has dots, or is no text
        raise InputError(f"config.{'.'.join(parts)} = {shown(value)}: {error}") from error


def _builder(config: Config, section: str) -> str:
    """Returns the name of the builder of a section; empty where it has none."""
    here = config.get(section)
    name = here.get(builder_field(section)) if isinstance(here, ConfigDict) else ""
    return name if isinstance(name, str) else ""


def _stands_for_no_entries(config: ConfigDict, parts: Sequence[str]) -> bool:
    """Whether an argument that may be a map is at its default word: as published, for all names."""
    section, name, argument = parts[:3]
    accepted = arguments(section).get(_builder(config, section), {})
    if argument not in accepted or accepted[argument].values.entries is None:
        return False
    default = accepted[argument].default
    return config[section][name].get(argument, default) == default
