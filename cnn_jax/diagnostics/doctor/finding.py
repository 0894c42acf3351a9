"""What one check found, on one process or on all, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cnn_jax.diagnostics.levels import FAIL, OK, WARN, worst

COLOURS: Final = {OK: "\x1b[32m", WARN: "\x1b[33m", FAIL: "\x1b[31m"}
PLAIN: Final = "\x1b[0m"


class Finding(NamedTuple):
    """One line of the table.

    Attributes:
        check: what was looked at.
        level: `ok`; `warn`: may be meant so; `fail`: the run would not live.
        said: what was found.
        remedy: what to do about it; empty where all is well.
    """

    check: str
    level: str
    said: str
    remedy: str = ""


def merged(of_processes: Sequence[Sequence[Finding]], hosts: Sequence[str]) -> list[Finding]:
    """Returns the findings of all processes as one table.

    A check that found the same everywhere, or nothing wrong, has one line; otherwise those
    processes have theirs on which it found the worst.

    Args:
        of_processes: the findings of each process, in their order.
        hosts: where each of them runs.
    """
    checks = dict.fromkeys(finding.check for found in of_processes for finding in found)
    lines = []
    for check in checks:
        mine = [
            (process, finding)
            for process, found in enumerate(of_processes)
            for finding in found
            if finding.check == check
        ]
        level = worst([finding for _, finding in mine])
        several = len({finding for _, finding in mine}) > 1 and level != OK
        for process, finding in mine:
            if finding.level == level:
                where = f"process {process} on {hosts[process]}: " if several else ""
                lines.append(finding._replace(said=where + finding.said))
                if not several:
                    break
    return lines


def table(findings: Sequence[Finding], colours: bool = False) -> str:
    """Returns the findings, a line each, with its remedy.

    Args:
        findings: of all checks.
        colours: whether it is shown on a terminal.
    """
    widest = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        level = f"{finding.level:<4}"
        shown = f"{COLOURS[finding.level]}{level}{PLAIN}" if colours else level
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        lines.append(
            f"{shown}  {finding.check:<{widest}}  {' '.join(finding.said.split())}{remedy}"
        )
    return "\n".join(lines)
