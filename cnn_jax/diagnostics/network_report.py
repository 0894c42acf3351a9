"""A description as text: tables that read well on a screen, in a file and in a pipe."""

from __future__ import annotations

import sys
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cnn_jax.models.description import Description
from cnn_jax.models.facts import METRICS, Fact
from cnn_jax.models.layer_table import Row

WORDS = ("layer", "kind")
NUMBERS = ("output", "kernel", "stride", "pad", "groups", "parameters", "MACs", "receptive field")

WIDE = 10_000  # columns where the output is no terminal: nothing is wrapped


def display(text: RenderableType) -> None:
    """Prints for a screen, or unwrapped for a file or a pipe."""
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(text)


def report(description: Description, batch_size: int) -> RenderableType:
    """Returns the layer table with its totals, and all that is known of the network.

    Args:
        description: of the network.
        batch_size: examples for which the activation memory is told.
    """
    network = description.network
    size = "x".join(map(str, description.input_size))
    memory = description.activation_bytes(batch_size)
    head = f"{description.label}, {size}, {network.num_classes:,} classes, {network.dtype}"
    parts: list[RenderableType] = [Text(head, style="bold"), layers(description)]
    parts.append(Text(f"outputs of all layers above, batch of {batch_size}: {in_bytes(memory)}"))
    parts += [Text(line) for line in known(description)]
    if description.fact and description.fact.published_results:
        parts += [Text("Published errors, %:"), errors(description.fact)]
    return Group(*parts)


def layers(description: Description) -> Table:
    """Returns the layer table, totals at its end."""
    table = grid(words=WORDS, numbers=NUMBERS)
    for row in description.rows:
        table.add_row(*map(escape, cells(row)))
    table.add_section()
    for label, auxiliary in (("total", False), ("total with auxiliary heads", True)):
        if auxiliary and not any(row.auxiliary for row in description.rows):
            continue
        counts = [f"{description.total(count, auxiliary):,}" for count in ("parameters", "macs")]
        table.add_row(label, *[""] * 6, *counts, "")
    return table


def cells(row: Row) -> list[str]:
    """Returns the columns of a layer as text; empty where a column says nothing of it."""
    return [
        row.name,
        row.kind,
        "x".join(map(str, row.output)),
        "" if row.kernel is None else "x".join(map(str, row.kernel)),
        "" if row.strides is None else _pair(row.strides),
        "" if row.padding is None else _pair(row.padding),
        str(row.groups) if row.kernel is not None else "",
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.macs:,}" if row.macs else "",
        "" if row.receptive_field is None else "x".join(map(str, row.receptive_field)),
    ]


def known(description: Description) -> list[str]:
    """Returns citation, notes and departures, a line each."""
    fact, lines = description.fact, [""]
    if description.citation:
        lines.append(f"Paper: {cite(description.citation)}")
    if fact is None:
        lines.append("No published network has these arguments at this size.")
    else:
        lines.append(
            f"Published as: {fact.reference_id}" + (f" ({fact.note})" if fact.note else "")
        )
    return lines + description.departures


def errors(fact: Fact) -> Table:
    """Returns the published errors: where they stand, under which protocol, and how sure it is."""
    table = grid(words=("split", "protocol"), numbers=tuple(METRICS.values()))
    for heading in ("where", "status"):
        table.add_column(heading, overflow="fold")
    for result in fact.published_results:
        figures = [result.printed(metric) for metric in METRICS]
        cells = [result.split, result.protocol, *figures, result.table, result.status]
        table.add_row(*map(escape, cells))
    return table


def cite(citation: dict[str, Any]) -> str:
    """Returns a citation as one line."""
    authors = ", ".join(citation["authors"])
    parts = [f"{authors} ({citation['year']})", citation["title"], citation["venue"]]
    parts.append(f"arXiv:{citation['arxiv']}" if citation["arxiv"] else None)
    return ", ".join(part for part in parts if part)


def grid(words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    """Returns an empty table without frames; nothing in it is ever cut short."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, overflow="fold", justify="right")
    return table


def in_bytes(count: int) -> str:
    """Returns a number of bytes in the largest unit of which there is at least one."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:,.2f} {unit}"
    return f"{count} bytes"


def _pair(value: Any) -> str:
    """Returns a stride or a padding: one number where both directions agree."""
    if not isinstance(value, list | tuple):
        return str(value)
    texts = [_pair(part) if isinstance(part, int) else "/".join(map(str, part)) for part in value]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)
