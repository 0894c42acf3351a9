"""The builders of a config: their arguments, read with ast, and the open dicts that hold them.

Importing linen takes seconds; a misspelt key must fail before that. The registries are hand-written
dicts, so the syntax tree tells which names they hold and what each builder accepts, without jax.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

PACKAGE = Path(__file__).resolve().parent.parent

REGISTRIES = {
    "model": ("models/__init__.py", "MODELS"),
    "data": ("data/sources.py", "SOURCES"),
    "train_crop": ("data/published_crops.py", "CROPS"),
    "test_crop": ("data/published_crops.py", "CROPS"),
    "colour": ("data/colour.py", "COLOURS"),
    "data_dependent_init": ("initializers/data_dependent.py", "DATA_DEPENDENT"),
    "optim": ("optim/optimizers.py", "OPTIMIZERS"),
    "schedule": ("optim/schedules.py", "SCHEDULES"),
}
SET_BY_THE_RUN = frozenset({"num_classes", "dtype", "view", "name", "parent"})


@dataclass(frozen=True)
class Argument:
    """An argument that a config may set.

    Attributes:
        annotation: its type as written.
        required: whether it has no default.
        default: the default.
    """

    annotation: str
    required: bool
    default: Any


def builder_field(section: str) -> str:
    """Returns the key of a section that names its builder."""
    return "source" if section == "data" else "name"


@functools.cache
def arguments(section: str) -> dict[str, dict[str, Argument]]:
    """Returns the builders of a section and the arguments that a config may set.

    Functions give their keyword-only arguments; linen modules give their fields, less those that
    the run itself sets.

    Args:
        section: a key of `REGISTRIES`.

    Returns:
        builder name -> argument name -> `Argument`.
    """
    file, registry = REGISTRIES[section]
    tree = _parse(PACKAGE / file)
    entries = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign | ast.Assign) and registry in _targets(node)
    )
    assert isinstance(entries, ast.Dict)
    found = {}
    for key, value in zip(entries.keys, entries.values, strict=True):
        assert isinstance(key, ast.Constant) and isinstance(value, ast.Name)
        found[str(key.value)] = _signature(_definition(PACKAGE / file, value.id))
    return found


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


@functools.cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _targets(node: ast.AnnAssign | ast.Assign) -> list[str]:
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _definition(path: Path, name: str) -> tuple[Path, ast.FunctionDef | ast.ClassDef]:
    """Follows imports inside the package to where `name` is defined."""
    for node in _parse(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            module = (node.module or "").split(".")
            if module[0] == PACKAGE.name:
                return _definition(PACKAGE.joinpath(*module[1:]).with_suffix(".py"), name)
    raise LookupError(f"{name} is not defined in {path}")


def _signature(found: tuple[Path, ast.FunctionDef | ast.ClassDef]) -> dict[str, Argument]:
    path, node = found
    if isinstance(node, ast.FunctionDef):
        pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        return {arg.arg: _argument(path, arg.annotation, default) for arg, default in pairs}
    fields: dict[str, Argument] = {}
    for base in node.bases:
        if isinstance(base, ast.Name):
            fields |= _signature(_definition(path, base.id))
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            annotation = _text(item.annotation)
            if not annotation.startswith("ClassVar") and item.target.id not in SET_BY_THE_RUN:
                fields[item.target.id] = _argument(path, item.annotation, item.value)
    return fields


def _argument(path: Path, annotation: ast.expr | None, default: ast.expr | None) -> Argument:
    value = None if default is None else ast.literal_eval(_constant(path, default))
    return Argument(_text(annotation), default is None, value)


def _constant(path: Path, value: ast.expr) -> ast.expr:
    """Follows a name to the module constant behind it, here or where it is imported from."""
    if not isinstance(value, ast.Name):
        return value
    for node in _parse(path).body:
        if isinstance(node, ast.ImportFrom) and value.id in {alias.name for alias in node.names}:
            module = (node.module or "").split(".")
            if module[0] == PACKAGE.name:
                return _constant(PACKAGE.joinpath(*module[1:]).with_suffix(".py"), value)
        if isinstance(node, ast.Assign | ast.AnnAssign) and value.id in _targets(node):
            assert node.value is not None
            return node.value
    raise LookupError(f"{path}: the default {value.id} must be a literal or a module constant")


def _text(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation)
