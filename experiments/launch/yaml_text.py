"""Plain values as YAML: what a manifest needs of it, every text in double quotes."""

from __future__ import annotations

import json
import re
from typing import Any

NOT_PLAIN = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def yaml_text(value: Any) -> str:
    """Returns dicts, lists, texts, ints and bools as YAML in block style.

    A text is written as JSON has it, which YAML reads as the same: none becomes a number, a date
    or a `yes`. Empty dicts and lists are written as JSON, too.
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        lines = []
        for key, inner in value.items():
            below = _lines(inner)
            if not (isinstance(inner, dict | list) and inner):
                lines.append(f"{_key(key)}: {below[0]}")
            else:
                lines += [f"{_key(key)}:", *(f"  {line}" for line in below)]
        return lines
    if isinstance(value, list) and value:
        lines = []
        for inner in value:
            first, *others = _lines(inner)
            lines += [f"- {first}", *(f"  {line}" for line in others)]
        return lines
    return [_scalar(value)]


def _key(name: str) -> str:
    """Returns a key as it is, where it is a word of camelCase and no `on` or `true`."""
    plain = name.isascii() and name.isalpha() and name.lower() not in NOT_PLAIN
    return name if plain else _scalar(name)


def _scalar(value: Any) -> str:
    """Returns JSON in ASCII; beyond four hex digits YAML has an escape of its own."""
    return re.sub(r"[^ -~]", _escape, json.dumps(value, ensure_ascii=False))


def _escape(letter: re.Match[str]) -> str:
    code = ord(letter[0])
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
