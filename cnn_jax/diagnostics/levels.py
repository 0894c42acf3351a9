"""How bad is what a check found: `ok`, `warn`, may be meant so, or `fail`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

OK, WARN, FAIL = "ok", "warn", "fail"
LEVELS: Final = (OK, WARN, FAIL)


class HasLevel(Protocol):
    """What a check found."""

    @property
    def level(self) -> str:
        """One of `LEVELS`."""


def worst(findings: Iterable[HasLevel]) -> str:
    """Returns the level of the worst finding; `ok` of none."""
    return max((finding.level for finding in findings), key=LEVELS.index, default=OK)
