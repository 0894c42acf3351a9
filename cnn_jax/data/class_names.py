"""The names of classes, out of a file that a user has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cnn_jax.config.problems import InputError, shown
from cnn_jax.data.regular_files import printable, read_file
from cnn_jax.data.unreadable import UnreadableError

ALLOWED = 'a name a line, a JSON list of names, or a JSON object {"0": name, ...}'


def read_class_names(path: str | Path, num_classes: int) -> tuple[str, ...]:
    """Returns the names of the classes of a network, in their order.

    Two classes may have the same name, as two of ILSVRC do.

    Args:
        path: of a file in UTF-8: a name a line, a JSON list of names, or a JSON object from the
            number of a class, from 0, to its name or to a list whose last word is its name.
        num_classes: of the network.

    Raises:
        InputError: the file cannot be read, holds something else, or another number of names.
    """
    where = f"--class_names={printable(str(path))}"
    try:
        text = read_file(Path(path)).decode("utf-8-sig")
    except UnreadableError as error:
        raise InputError(f"{where} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{where}, line {line}: not UTF-8") from error
    names = _of_json(where, text) if text.lstrip()[:1] in ("[", "{") else _of_lines(where, text)
    if len(names) != num_classes:
        raise InputError(
            f"{where} has {len(names)} names, and the network has {num_classes} classes"
        )
    return names


def _of_lines(where: str, text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if empty := [number for number, line in enumerate(lines, 1) if not line]:
        raise InputError(f"{where}, line {empty[0]}: empty; allowed: {ALLOWED}")
    return tuple(lines)


def _of_json(where: str, text: str) -> tuple[str, ...]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is no JSON: {error}; allowed: {ALLOWED}") from error
    if isinstance(tree, Mapping):
        if missing := [i for i in range(len(tree)) if str(i) not in tree]:
            raise InputError(f"{where} has no entry {str(missing[0])!r}; allowed: {ALLOWED}")
        tree = [tree[str(i)] for i in range(len(tree))]
    names = [name[-1] if isinstance(name, list) and name else name for name in tree]
    for i, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{where}: class {i} is {shown(name)}; allowed: {ALLOWED}")
    return tuple(name.strip() for name in names)
