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

from cnn_jax.config.keys import Config
from cnn_jax.config.values import Values, values_of

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
INITIALISERS = ("initializers/fixed.py", "INITIALIZERS")
Definition = tuple[Path, ast.FunctionDef | ast.ClassDef]
SET_BY_THE_RUN = frozenset({"num_classes", "dtype", "view", "name", "parent"})


@dataclass(frozen=True)
class Argument:
    """An argument that a config may set.

    Attributes:
        values: what its annotation allows.
        required: whether it has no default.
        default: the default.
    """

    values: Values
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
    return {name: _signature(definition) for name, definition in _builders(section).items()}


@functools.cache
def summaries(section: str) -> dict[str, str]:
    """Returns the builders of a section, each with the first line of its docstring."""
    return {name: _summary(node) for name, (_, node) in _builders(section).items()}


@functools.cache
def initialisers() -> tuple[dict[str, dict[str, Argument]], dict[str, str]]:
    """Returns the arguments of every initialiser, and the first lines of their docstrings.

    They are named in words, as `gaussian(std=0.01)`, and hold no section of their own.
    """
    found = _entries(PACKAGE / INITIALISERS[0], INITIALISERS[1])
    taken = {}
    for name, (path, node) in found.items():
        assert isinstance(node, ast.FunctionDef)
        missing = [None] * (len(node.args.args) - len(node.args.defaults))
        pairs = zip(node.args.args, [*missing, *node.args.defaults], strict=True)
        taken[name] = {a.arg: _argument(path, a.annotation, default) for a, default in pairs}
    return taken, {name: _summary(node) for name, (_, node) in found.items()}


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


def argument_of(config: Config, section: str, name: str) -> Any:
    """Returns an argument of the builder that a section names: as given, or the default.

    Args:
        config: validated.
        section: a key of `REGISTRIES`.
        name: of the argument.
    """
    builder, given = _builder(config, section)
    return given[name] if name in given else builder[name].default


def _builder(config: Config, section: str) -> tuple[dict[str, Argument], Any]:
    """Returns what the builder of a section takes, and its arguments; nothing where it has none."""
    here = config.get(section)
    if not isinstance(here, ConfigDict | FrozenConfigDict):
        return {}, {}
    name, given = here.get(builder_field(section)), here.get("kwargs")
    if not isinstance(name, str) or not isinstance(given, ConfigDict | FrozenConfigDict):
        return {}, {}
    return arguments(section).get(name, {}), given


def _builders(section: str) -> dict[str, Definition]:
    file, registry = REGISTRIES[section]
    return _entries(PACKAGE / file, registry)


def _entries(path: Path, registry: str) -> dict[str, Definition]:
    """Returns the names of a hand-written dict of a module, each with where it is defined."""
    entries = next(
        node.value
        for node in _parse(path).body
        if isinstance(node, ast.AnnAssign | ast.Assign) and registry in _targets(node)
    )
    assert isinstance(entries, ast.Dict)
    found = {}
    for key, value in zip(entries.keys, entries.values, strict=True):
        assert isinstance(key, ast.Constant) and isinstance(value, ast.Name)
        found[str(key.value)] = _definition(path, value.id)
    return found


def _summary(node: ast.FunctionDef | ast.ClassDef) -> str:
    """Returns the first line of a docstring, without the word that functions begin with."""
    first = (ast.get_docstring(node) or "").partition("\n")[0]
    _, returns, what = first.partition("Returns ")
    return what[:1].upper() + what[1:] if returns else first


@functools.cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _targets(node: ast.AnnAssign | ast.Assign) -> list[str]:
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _definition(path: Path, name: str) -> Definition:
    """Follows imports inside the package to where `name` is defined."""
    for node in _parse(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            module = (node.module or "").split(".")
            if module[0] == PACKAGE.name:
                return _definition(PACKAGE.joinpath(*module[1:]).with_suffix(".py"), name)
    raise LookupError(f"{name} is not defined in {path}")


def _signature(definition: Definition) -> dict[str, Argument]:
    path, node = definition
    if isinstance(node, ast.FunctionDef):
        pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        return {arg.arg: _argument(path, arg.annotation, default) for arg, default in pairs}
    fields: dict[str, Argument] = {}
    for base in node.bases:
        if isinstance(base, ast.Name):
            fields |= _signature(_definition(path, base.id))
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            annotation = ast.unparse(item.annotation)
            if not annotation.startswith("ClassVar") and item.target.id not in SET_BY_THE_RUN:
                fields[item.target.id] = _argument(path, item.annotation, item.value)
    return fields


def _argument(path: Path, annotation: ast.expr | None, default: ast.expr | None) -> Argument:
    value = None if default is None else ast.literal_eval(_constant(path, default))
    values = values_of(annotation, lambda name: _assigned(path, name))
    return Argument(values, default is None, value)


def _constant(path: Path, value: ast.expr) -> ast.expr:
    """Follows a name to the module constant behind it, here or where it is imported from."""
    if not isinstance(value, ast.Name):
        return value
    constant = _assigned(path, value.id)
    if constant is None:
        raise LookupError(f"{path}: the default {value.id} must be a literal or a module constant")
    return constant


def _assigned(path: Path, name: str) -> ast.expr | None:
    """Returns what a module assigns to a name, or the module of the package it imports it from."""
    for node in _parse(path).body:
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            module = (node.module or "").split(".")
            if module[0] == PACKAGE.name:
                return _assigned(PACKAGE.joinpath(*module[1:]).with_suffix(".py"), name)
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return node.value
    return None
