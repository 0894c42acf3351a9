"""Where two networks differ, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import SequenceMatcher
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnn_jax.config.problems import InputError, hint
from cnn_jax.diagnostics.fitting_table import FittingTable
from cnn_jax.diagnostics.network_report import FIRST_TO_GO, NUMBERS, WORDS, cells
from cnn_jax.models.description import Description, describe, describe_published, variants
from cnn_jax.models.facts import facts
from cnn_jax.models.layer_table import Row
from cnn_jax.models.layered import Published

Pairing = tuple[Row | None, Row | None]


def other(description: Description, word: str, **options: Any) -> Description:
    """Describes the network that another is held against.

    Args:
        description: of the first network.
        word: another variant of it, or the `reference_id` of any published network.
        **options: `input_size`, `num_classes` and `dtype` of `describe`.

    Raises:
        InputError: the word is neither.
    """
    words = variants(description.model)
    if word in words:
        return describe(description.model, description.kwargs | {"variant": word}, **options)
    if word in facts():
        return describe_published(word, **options)
    raise InputError(
        f"--against={word}: neither a variant of {description.model} nor a reference_id"
        f"{hint(word, [*words, *facts()])}"
    )


def pairings(first: Sequence[Row], second: Sequence[Row]) -> Iterator[Pairing]:
    """Yields the layers of both networks in order, those of one name side by side.

    A layer that the other network has not, or has in another place, stands alone.
    """
    names = [row.name for row in first], [row.name for row in second]
    for kind, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from zip(first[a:b], second[c:d], strict=True)
        else:
            yield from ((row, None) for row in first[a:b])
            yield from ((None, row) for row in second[c:d])


def compare(first: Description, second: Description) -> RenderableType:
    """Returns the layers that differ, two lines each, of which the columns that agree are empty."""
    labels = _labels(first, second)
    table, same = FittingTable(("network", *WORDS), NUMBERS, first_to_go=FIRST_TO_GO), 0
    for pairing in pairings(first.rows, second.rows):
        if pairing[0] == pairing[1]:
            same += 1
        else:
            _add_difference(table, labels, pairing)
    table.add_section()
    for label, description in zip(labels, (first, second), strict=True):
        counts = [f"{description.total(count):,}" for count in ("parameters", "macs")]
        table.add_row(label, "total", *[""] * 6, *counts, "")
    lines = [f"{same} layers agree in all columns", *_printed(first, second, labels)]
    head = Text(f"{first.label} against {second.label}", style="bold")
    return Group(head, table, *map(Text, lines))


def _labels(first: Description, second: Description) -> tuple[str, str]:
    words = [
        d.kwargs.get("variant", d.network.__dict__.get("variant", "")) for d in (first, second)
    ]
    if first.model == second.model and "" not in words and words[0] != words[1]:
        return words[0], words[1]
    names = [d.fact.reference_id if d.fact else d.label for d in (first, second)]
    return names[0], names[1]


def _add_difference(table: FittingTable, labels: tuple[str, str], pairing: Pairing) -> None:
    lines = [None if row is None else cells(row) for row in pairing]
    for label, line, counterpart in zip(labels, lines, reversed(lines), strict=True):
        if line is None:
            continue
        if counterpart is not None:
            differing = [a if a != b else "" for a, b in zip(line, counterpart, strict=True)]
            line = [*line[:2], *differing[2:]]
        table.add_row(label, *line)


def _printed(first: Description, second: Description, labels: tuple[str, str]) -> list[str]:
    """Returns what the papers print otherwise beside the layers, a line for each."""
    lines = []
    for field in fields(Published):
        values = [getattr(d.network.published, field.name) for d in (first, second)]
        if values[0] == values[1]:
            continue
        for key, a, b in _unequal(*values):
            name = f"{field.name}[{key}]" if key else field.name
            lines.append(f"{name}: {a} in {labels[0]}, {b} in {labels[1]}")
    return lines


def _unequal(first: Any, second: Any) -> list[tuple[str, Any, Any]]:
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return [("", first, second)]
    keys = [*first, *(key for key in second if key not in first)]
    pairs = [(key, _of(first, key), _of(second, key)) for key in keys]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _of(by_name: Mapping[str, Any], key: str) -> Any:
    """Returns what a map says of a layer; `*` stands for the rest."""
    return by_name.get(key, by_name.get("*", "none"))
