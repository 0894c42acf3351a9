"""Every printed error, the command that repeats it, and the runs that were made for it.

Nothing is claimed that was not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_jax.diagnostics.published_rows import all_rows
from cnn_jax.diagnostics.reproduction import PARTIAL
from cnn_jax.storage.run_directory import read_json

# Of `experiments.reproduce`, in a run directory; of its `--suite`.
REPORT, SUITE = "reproduction.json", "suite.json"
HEAD = (
    "| network | split | protocol | error | published, % | where | command | run here |\n"
    "|---|---|---|---|---:|---|---|---|"
)
NO_RECIPE = "no config here"


def runs_below(directory: Path) -> dict[str, list[str]]:
    """Returns name of a printed error -> what came out in the runs below a directory."""
    outcomes: dict[str, list[str]] = {}
    for path in sorted(directory.rglob(SUITE)):
        for row in read_json(path)["rows"]:
            for error in row["errors"]:
                if error["mean"] is not None:
                    seeds = f"mean of {len(row['seeds'])} seeds"
                    text = f"{100 * error['mean']:.2f} %, {seeds}, {error['verdict']}"
                    outcomes.setdefault(error["name"], []).append(f"{text} ({path.parent})")
    for path in sorted(directory.rglob(REPORT)):
        report: Mapping[str, Any] = read_json(path)
        for row in report["rows"]:
            if row["measured"] is not None:
                verdict = row["verdict"] + PARTIAL * row.get("partial", False)
                text = f"{100 * row['measured']:.2f} %, {verdict} ({path.parent})"
                outcomes.setdefault(row["name"], []).append(text)
    return outcomes


def table(directory: Path) -> str:
    """Returns the table of all printed errors, in markdown.

    Args:
        directory: below which run directories lie; need not exist.
    """
    runs = runs_below(directory)
    lines = [
        f"| {row.reference_id} | {row.result.split} | {row.result.protocol} | {row.metric} | "
        f"{row.printed} | "
        f"{row.result.table}{'' if row.result.status == 'read' else ', ' + row.result.status} | "
        f"{command(row.result.recipes)} | {'; '.join(runs.get(row.name, ['not run here']))} |"
        for row in all_rows()
    ]
    return "\n".join([HEAD, *lines])


def command(recipes: tuple[str, ...]) -> str:
    """Returns the command that repeats a printed error, or that there is none.

    Args:
        recipes: the configs that repeat it, the first of which is taken.
    """
    if not recipes:
        return NO_RECIPE
    path, _, word = recipes[0].partition(":")
    file = f"configs/{path}.py" + (f":{word}" if word else "")
    return f"`python -m experiments.reproduce --config={file} --config.data.directory=DATA`"
