"""Networks as text: tables that read well on a screen, in a file and in a pipe.

One network in full, or all published ones in a list, which docs/networks.md has too.
"""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from cnn_jax.diagnostics.fitting_table import FittingTable
from cnn_jax.models.description import Description, arguments_text
from cnn_jax.models.facts import METRICS, Fact, facts
from cnn_jax.models.layer_table import Row

WORDS = ("layer", "kind")
NUMBERS = (
    *("output", "kernel", "stride", "pad", "groups", "parameters", "MACs"),
    *("receptive field", "every", "from"),
)

# On a narrow screen: what follows from the other columns, or from the name, goes first.
FIRST_TO_GO = ("from", "every", "receptive field", "groups", "kind", "pad", "stride", "kernel")
WIDE = 10_000  # columns where the output is no terminal: nothing is wrapped


def display(text: RenderableType) -> None:
    """Prints for a screen, or unwrapped for a file or a pipe."""
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False).print(text)


def report(description: Description, batch_size: int) -> RenderableType:
    """Returns the layer table with its totals, and all that is known of the network.

    Args:
        description: the network, as `describe` returns it.
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


def layers(description: Description) -> FittingTable:
    """Returns the layer table, totals at its end."""
    table = FittingTable(WORDS, NUMBERS, first_to_go=FIRST_TO_GO)
    for row in description.rows:
        table.add_row(*cells(row))
    table.add_section()
    for label, auxiliary in (("total", False), ("total with auxiliary heads", True)):
        if auxiliary and not any(row.auxiliary for row in description.rows):
            continue
        counts = [f"{description.total(count, auxiliary):,}" for count in ("parameters", "macs")]
        table.add_row(label, *[""] * 6, *counts, *[""] * 3)
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
        "" if row.field_stride is None else _pair(row.field_stride),
        "" if row.field_start is None else _pair(row.field_start),
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


def errors(fact: Fact) -> FittingTable:
    """Returns the published errors: where they stand, under which protocol, and how sure it is."""
    table = FittingTable(("split", "protocol"), tuple(METRICS.values()), ("where", "status"))
    for result in fact.published_results:
        figures = [result.printed(metric) for metric in METRICS]
        table.add_row(result.split, result.protocol, *figures, result.table, result.status)
    return table


def cite(citation: dict[str, Any]) -> str:
    """Returns a citation as one line."""
    authors = ", ".join(citation["authors"])
    parts = [f"{authors} ({citation['year']})", citation["title"], citation["venue"]]
    parts.append(f"arXiv:{citation['arxiv']}" if citation["arxiv"] else None)
    return ", ".join(part for part in parts if part)


def network_list(descriptions: list[Description]) -> FittingTable:
    """Returns the table of published networks."""
    words, numbers = ("reference_id", "model", "kwargs"), ("input", "parameters", "MACs")
    table = FittingTable(words, numbers, ("published error",), ("kwargs", "model"))
    for one in descriptions:
        assert one.fact is not None
        counts = [f"{one.total(count):,}" for count in ("parameters", "macs")]
        row = [one.fact.reference_id, one.model, arguments_text(one.kwargs), _size(one.fact)]
        table.add_row(*row, *counts, error_text(one.fact))
    return table


def markdown() -> str:
    """Returns the table of docs/networks.md, made of `facts()` alone."""
    headings = ["reference_id", "network", "paper", "input", "parameters", "multiply-adds"]
    lines = [_cells(*headings, "published error"), "|---|---|---|---|---:|---:|---|"]
    for fact in facts().values():
        name = " ".join(filter(None, [fact.model, arguments_text(fact.kwargs)]))
        who = [fact.reference_id, f"`{name}`", _authors(fact.citation), _size(fact)]
        lines.append(_cells(*who, f"{fact.parameters:,}", f"{fact.macs:,}", error_text(fact)))
    return "\n".join(lines) + "\n"


def _cells(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def error_text(fact: Fact) -> str:
    """Returns the first published error with its protocol; empty where none is published."""
    if not fact.published_results:
        return ""
    first = fact.published_results[0]
    figures = [f"{name} {first.printed(m)} %" for m, name in METRICS.items() if first.printed(m)]
    unverified = ", unverified" if first.status == "unverified" else ""
    return f"{', '.join(figures)} ({first.split}, {first.protocol}{unverified})"


def _size(fact: Fact) -> str:
    return "x".join(map(str, fact.input_size))


def _authors(citation: dict[str, Any] | None) -> str:
    if citation is None:
        return ""
    names = [author.split(". ")[-1] for author in citation["authors"]]
    said = f"{names[0]} et al." if len(names) > 2 else " & ".join(names)
    return f"{said} {citation['year']}"


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
