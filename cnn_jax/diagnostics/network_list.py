"""All published networks in one table: as text, and as the README has it."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from cnn_jax.diagnostics.network_report import grid
from cnn_jax.models.description import Description, arguments_text
from cnn_jax.models.facts import METRICS, Fact, facts


def network_list(descriptions: list[Description]) -> Table:
    """Returns the table of published networks."""
    table = grid(words=("reference_id", "model", "kwargs"), numbers=("input", "parameters", "MACs"))
    table.add_column("published error", overflow="fold")
    for one in descriptions:
        assert one.fact is not None
        counts = [f"{one.total(count):,}" for count in ("parameters", "macs")]
        row = [one.fact.reference_id, one.model, arguments_text(one.kwargs), _size(one.fact)]
        table.add_row(*map(escape, [*row, *counts, error_text(one.fact)]))
    return table


def markdown() -> str:
    """Returns the README's table of networks, made of `facts()` alone."""
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
