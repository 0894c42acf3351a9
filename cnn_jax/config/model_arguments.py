"""A network and its arguments, as words of a command line. Imports no jax."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cnn_jax.config.arguments import arguments
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.validate import argument_problems


def model_arguments(model: str, settings: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Returns the arguments of a network, checked against its fields.

    Args:
        model: name of the network.
        settings: a JSON object, `{"depth": 50}`; may be empty.
        pairs: `depth=50`, each a name and a literal or word; they win over `settings`.

    Raises:
        InputError: there is no such network or argument, or a value of the wrong type.
    """
    networks = arguments("model")
    if model not in networks:
        raise InputError(f"--model={model} is unknown{hint(model, networks)}")
    given = _object(settings) if settings else {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair}: an argument and its value are needed, as in depth=50")
        if name not in networks[model]:
            raise InputError(
                f"--set {pair}: not an argument of {model}{hint(name, networks[model])}"
            )
        try:
            given[name] = networks[model][name].values.read(text)
        except ValueError as error:
            raise InputError(f"--set {pair}: {error}") from error
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    if problems := argument_problems(model, model, given, networks[model]):
        raise InputError(problems)
    return given


def image_size(text: str) -> tuple[int, int, int]:
    """Returns (H, W, C) of `224`, which is 224x224x3, or of `28x28x1`.

    Raises:
        InputError: the text is neither.
    """
    parts = text.split("x")
    numbers = [int(part) for part in parts if part.isdigit()]
    if len(numbers) != len(parts) or 0 in numbers or len(parts) not in (1, 3):
        raise InputError(f"--input_size={text}: pixels are needed, as in 224 or 28x28x1")
    if len(parts) == 1:
        return numbers[0], numbers[0], 3
    height, width, channels = numbers
    return height, width, channels


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--kwargs={text} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"--kwargs={text}: an object is needed, as in '{{\"depth\": 50}}'")
    return values
