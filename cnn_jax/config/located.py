"""Where a config file sets a key: what is wrong with it is told with file and line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

PROBLEM = re.compile(r"config\.(\w+(?:\.\w+)*)")  # how a sentence about a key begins


def located(problem: str, value: str, overridden: Iterable[str]) -> str:
    """Returns a sentence about `config.section.key`, with file and line where the file sets it.

    Args:
        problem: the sentence.
        value: the config file, with its word, as `--config` has it.
        overridden: dotted keys that a command line sets: of them the file is not to blame.
    """
    key = PROBLEM.match(problem)
    if key is None or any(f"{key[1]}.".startswith(f"{path}.") for path in overridden):
        return problem
    file = Path(value.partition(":")[0])
    lines = [
        target.lineno
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if f"{key[1]}.".startswith(f"{ast.unparse(target).partition('.')[2]}.")
    ]
    return f"--config={value}, line {lines[-1]}: {problem}" if lines else problem
