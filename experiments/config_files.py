"""Files in `configs/`: run, and asked for what they describe. Imports no jax.

A config file is Python code, and it is executed with all rights of the user: to pass one on is to
pass on a program, and one from elsewhere is to be read before it is used.
"""

from __future__ import annotations

import inspect
import re
import runpy
import traceback
from pathlib import Path
from typing import TypeVar

from ml_collections import ConfigDict

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.search import Search
from cnn_jax.config.unknown_keys import unknown_name

Described = TypeVar("Described", ConfigDict, Ablation, Search)
LOCKED = re.compile(r"'?Key \"(\w+)\" does not exist")
BINARIES: dict[type, tuple[str, str]] = {
    ConfigDict: ("a config", "train"),
    Ablation: ("an ablation", "ablate"),
    Search: ("a search", "search"),
}


def load_config_file(value: str) -> ConfigDict:
    """Returns the config that a file makes, for `path` or `path:word`.

    Raises:
        InputError: there is no such file, it does not run, or the word is none of its variants.
    """
    return made_by(value, ConfigDict)


def default_workdir(config_file: str) -> str:
    """Returns `runs/digits-lenet5` for `configs/digits/lenet5.py`."""
    path = Path(config_file.partition(":")[0])
    return str(Path("runs") / f"{path.parent.name}-{path.stem}")


def made_by(value: str, expected: type[Described]) -> Described:
    """Returns what `get_config` of a file makes.

    Args:
        value: `path` or `path:word`.
        expected: what it must be.

    Raises:
        InputError: as `load_config_file`, or it makes something else.
    """
    path, colon, word = value.partition(":")
    file = Path(path)
    if not file.is_file():
        known = sorted(str(p) for p in Path("configs").rglob("*.py"))
        fault = "a folder, not a file" if file.is_dir() else "no such file"
        raise InputError(f"--config={path}: {fault}{hint(path, known)}")
    try:
        get_config = runpy.run_path(str(file)).get("get_config")
        if not callable(get_config):
            raise InputError("the file defines no function get_config")
        if colon and not inspect.signature(get_config).parameters:
            raise InputError(f"variant {word!r} is unknown: the file has no variants")
        made = get_config(word) if colon else get_config()
    except Exception as error:
        where = f"--config={value}{_line(error, file)}"
        raise InputError([f"{where}: {problem}" for problem in _problems(error)]) from error
    if isinstance(made, expected):
        return made
    if type(made) in BINARIES:
        what, binary = BINARIES[type(made)]
        raise InputError(
            f"--config={value} is {what}; python -m experiments.{binary} --config={value} runs it"
        )
    raise InputError(f"--config={value}: get_config returned a {type(made).__name__}")


def _line(error: Exception, file: Path) -> str:
    """Returns `, line 12`: where in the file an error arose; empty if not there."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f", line {lines[-1]}" if lines else ""


def _problems(error: Exception) -> list[str]:
    if isinstance(error, InputError):
        return error.problems
    text = " ".join(str(error).split())
    if missing := LOCKED.match(text):  # ml_collections goes on with the whole section
        return [f"there is no key {missing[1]!r}{unknown_name(missing[1])}"]
    return [f"{type(error).__name__}: {text}"]
