"""What a check found, how bad it is, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cnn_jax.config.aligned import aligned


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        check: what was looked at.
        level: `ok`; `warn`: may be meant so; `fail`: the run is not worth its hours.
        said: what was found, with the sizes of the sample.
        remedy: what to do about it, an override where there is one; empty where all is well.
        figures: what was measured, as JSON holds it.
        seconds: that the check took; None where another line of the same check has them.
    """

    check: str
    level: str
    said: str
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None

    def to_tree(self) -> dict[str, Any]:
        """Returns the finding as JSON holds it."""
        return asdict(self)


def table(findings: Sequence[Finding]) -> str:
    """Returns the findings as an aligned table, a remedy below the line that it mends."""
    head = ("", "check", "s", "found")
    rows = [(one.level, one.check, _seconds(one.seconds), one.said) for one in findings]
    first, *lines = aligned([head, *rows], right={2})
    indent = " " * first.index("found")
    shown = [first]
    for finding, line in zip(findings, lines, strict=True):
        shown.append(line)
        if finding.remedy:
            shown.append(f"{indent}-> {finding.remedy}")
    return "\n".join(shown)


def named(names: Sequence[str], most: int = 3) -> str:
    """Returns the first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
