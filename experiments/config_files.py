"""Files in `configs/`: run, and asked for what they describe. Imports no jax."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path
from typing import TypeVar

from ml_collections import ConfigDict

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.search import Search

Described = TypeVar("Described", ConfigDict, Ablation, Search)
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
        raise InputError(f"--config={path}: no such file{hint(path, known)}")
    try:
        get_config = runpy.run_path(str(file))["get_config"]
        if colon and not inspect.signature(get_config).parameters:
            raise InputError(f"variant {word!r} is unknown: the file has no variants")
        made = get_config(word) if colon else get_config()
    except InputError as error:
        raise InputError([f"--config={value}: {problem}" for problem in error.problems]) from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise InputError(f"--config={value}: {type(error).__name__}: {text}") from error
    if isinstance(made, expected):
        return made
    if type(made) in BINARIES:
        what, binary = BINARIES[type(made)]
        raise InputError(
            f"--config={value} is {what}; python -m experiments.{binary} --config={value} runs it"
        )
    raise InputError(f"--config={value}: get_config returned a {type(made).__name__}")
