"""The open dicts of a config: builder arguments, completed and read before they are validated."""

from __future__ import annotations

import ast
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from cnn_jax.config.signatures import REGISTRIES, arguments, builder_field


def fill_defaults(config: ConfigDict) -> ConfigDict:
    """Adds to every open dict the arguments that it leaves at the builder's default.

    A run then records all of them, and each can be overridden on the command line. A config that
    does not fit the schema is left as it is, for `validate` to tell.
    """
    for section in REGISTRIES:
        builder, given = _builder(config, section)
        for name, argument in builder.items():
            if name not in given and not argument.required:
                with given.unlocked():
                    given[name] = argument.default
    return config


def change_builders(config: ConfigDict, overrides: list[str]) -> ConfigDict:
    """Names other builders, as in `--config.data.source=folder`, ahead of all other overrides.

    The arguments of the file's builder go with it: the new one begins from its own defaults, and
    those can then be overridden. An unknown name is left for `validate` to tell.

    Args:
        config: as a file makes it.
        overrides: of the command line.
    """
    for section in REGISTRIES:
        flag = f"--config.{section}.{builder_field(section)}="
        names = [text.removeprefix(flag) for text in overrides if text.startswith(flag)]
        here = config.get(section)
        if not names or not isinstance(here, ConfigDict) or here.get("kwargs") is None:
            continue
        if names[-1] in arguments(section) and names[-1] != here[builder_field(section)]:
            here[builder_field(section)] = names[-1]
            with here.unlocked():
                here.kwargs = ConfigDict()
    return config


def argument_of(config: Any, section: str, name: str) -> Any:
    """Returns an argument of the builder that a section names: as given, or the default.

    Args:
        config: validated.
        section: a key of `REGISTRIES`.
        name: of the argument.
    """
    builder, given = _builder(config, section)
    return given[name] if name in given else builder[name].default


def read_literals(config: ConfigDict) -> ConfigDict:
    """Reads numbers and maps that the command line gave as text, where an argument allows both.

    `--config.model.kwargs.dropout_rate=0.5` arrives as text, since the default is a word.
    """
    for section in REGISTRIES:
        builder, given = _builder(config, section)
        for name, value in given.items():
            if name in builder and _is_literal(value, builder[name].annotation):
                with given.unlocked(), given.ignore_type():
                    given[name] = _literal(value)
    return config


def _builder(config: ConfigDict, section: str) -> tuple[dict[str, Any], Any]:
    nothing: tuple[dict[str, Any], Any] = {}, {}
    if section not in config or not isinstance(config[section], ConfigDict | FrozenConfigDict):
        return nothing
    here, field = config[section], builder_field(section)
    if (
        field not in here
        or "kwargs" not in here
        or not isinstance(here.kwargs, ConfigDict | FrozenConfigDict)
    ):
        return nothing
    return arguments(section).get(here[field], {}), here.kwargs


def _is_literal(value: Any, annotation: str) -> bool:
    """Whether a text stands for something else: not where it is one of the allowed words."""
    if not isinstance(value, str) or annotation == "str":
        return False
    words = annotation.removeprefix("Literal") if annotation.startswith("Literal[") else "()"
    return value not in ast.literal_eval(words)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
