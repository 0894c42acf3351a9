"""The words that name an initialiser in a config: `he_normal(mode=fan_out)`."""

import ast
import inspect
from functools import cache
from typing import Any

from cnn_jax.config.problems import hint
from cnn_jax.initializers.fixed import INITIALIZERS, Initializer


@cache
def build(spec: str) -> Initializer:
    """Read the specification of an initialiser.

    The same words always give the same function, so that what is compiled for one leaf serves all.

    Args:
        spec: a name of `INITIALIZERS`, with keyword arguments in brackets where it takes any:
            `'zeros'`, `'gaussian(std=0.01)'`, `'he_normal(mode=fan_out)'`.

    Returns:
        `f(key, shape, dtype)`.

    Raises:
        ValueError: if the words are not understood; the message says what is allowed.

    Example:
        >>> import jax
        >>> build("constant(value=2)")(jax.random.key(0), (2,)).tolist()
        [2.0, 2.0]
    """
    name, arguments = _parse(spec)
    if name not in INITIALIZERS:
        raise ValueError(f"initializer {spec!r}: {name!r} is unknown{hint(name, INITIALIZERS)}")
    builder = INITIALIZERS[name]
    parameters = inspect.signature(builder).parameters
    for key, value in arguments.items():
        if key not in parameters:
            raise ValueError(
                f"initializer {spec!r}: {name} has no argument {key!r}{hint(key, parameters)}"
            )
        wants_text = parameters[key].annotation is str
        if wants_text != isinstance(value, str):
            raise ValueError(
                f"initializer {spec!r}: {key} = {value!r} must be a "
                f"{'word' if wants_text else 'number'}"
            )
    missing = [
        key for key, p in parameters.items() if p.default is p.empty and key not in arguments
    ]
    if missing:
        raise ValueError(
            f"initializer {spec!r}: {missing[0]} is missing, as in '{name}({missing[0]}=0.01)'"
        )
    try:
        return builder(**arguments)
    except ValueError as error:
        raise ValueError(f"initializer {spec!r}: {error}") from error


def _parse(spec: str) -> tuple[str, dict[str, str | float]]:
    try:
        tree: Any = ast.parse(spec.strip(), mode="eval").body
    except SyntaxError:
        tree = None
    if isinstance(tree, ast.Name):
        return tree.id, {}
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise ValueError(
            f"initializer {spec!r} is not a name with arguments by keyword, "
            f"such as 'zeros' or 'gaussian(std=0.01)'"
        )
    arguments: dict[str, str | float] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise ValueError(f"initializer {spec!r}: give each argument by name")
        arguments[keyword.arg] = _literal(spec, keyword.arg, keyword.value)
    return tree.func.id, arguments


def _literal(spec: str, name: str, node: ast.expr) -> str | float:
    if isinstance(node, ast.Name):
        return node.id
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(
            f"initializer {spec!r}: {name} = {ast.unparse(node)} must be a number or a word"
        )
    return value
