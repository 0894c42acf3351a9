"""What a suite came to: every row beside its published figure, in JSON, markdown and HTML.

It depends on what lies in the directory of the suite alone: the same seeds, the same files.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.diagnostics import suite_members, suite_pages
from cnn_jax.diagnostics.bands import INSIDE
from cnn_jax.diagnostics.deviations import changes, known_deviations, partial_data
from cnn_jax.diagnostics.published_rows import CENTRE, PublishedRow
from cnn_jax.diagnostics.reproduction import NOT_JUDGED
from cnn_jax.diagnostics.suite_members import SeedResult
from cnn_jax.diagnostics.suite_plan import PlannedRow, folder_of
from cnn_jax.diagnostics.suite_rows import SuiteRow, paper_of, suite_of
from cnn_jax.diagnostics.suite_verdict import RULE, band, measured

ROW, SUITE = "row.json", "suite.json"
PAGE, HTML = "suite.md", "suite.html"
JUDGED_AS = {"outside, better": "better", "outside, worse": "worse", INSIDE: INSIDE}


def write_row(
    workdir: Path,
    dataset: str,
    plan: PlannedRow,
    overrides: Sequence[tuple[str, str]],
    doubts: Sequence[str] = (),
) -> None:
    """Writes `row.json` of a row whose seeds are all finished.

    Args:
        workdir: of the suite.
        dataset: of the suite.
        plan: the row.
        overrides: of the command line, for the command that makes the row alone.
        doubts: in what the data is not the published set.
    """
    folder = folder_of(workdir, plan)
    found = (
        suite_members.read_seed(folder, seed, plan.hashed(seed)) for seed in range(plan.row.seeds)
    )
    seeds = [one for one in found if one is not None]
    assert len(seeds) == plan.row.seeds, "a row is written when all its seeds are finished"
    deviations = [
        *partial_data(plan.config.data),
        *doubts,
        *changes(plan.as_in_file, plan.config),
        *known_deviations(plan.row.file),
    ]
    tree = {
        "recipe": plan.row.recipe,
        "command": _command(dataset, plan.row, overrides),
        "deviations": deviations,
        "minutes_a_seed": sum(one.minutes for one in seeds) / len(seeds),
        "seeds": [one.__dict__ | {"versions": dict(one.versions)} for one in seeds],
        "errors": [_judged(row, seeds) for row in plan.row.published],
    }
    files.write_json(folder / ROW, tree)


def _command(dataset: str, row: SuiteRow, overrides: Sequence[tuple[str, str]]) -> str:
    """Returns the command that makes a row alone; where the data lies is left open."""
    changes_ = " ".join(shlex.quote(f"--config.{key}={text}") for key, text in overrides)
    command = (
        f"python -m experiments.reproduce --suite={dataset} --data_directory=DATA "
        f"--rows={row.recipe} --seeds={row.seeds}"
    )
    return f"{command} {changes_}".strip()


def _judged(row: PublishedRow, seeds: Sequence[SeedResult]) -> dict[str, Any]:
    """Returns a published error beside what was measured; errors are fractions."""
    line, spread = row.result, row.spread
    tree: dict[str, Any] = {
        "name": row.name,
        "paper": paper_of(row),
        "network": row.reference_id,
        "protocol": line.protocol,
        "where": line.table,
        "status": line.status,
        "printed": row.printed,
        "published": row.error,
        "published_spread": None if spread is None else dict(spread.__dict__),
    }
    nothing = {"mean": None, "interval": None, "median": None, "band": None}
    if diverged := [one for one in seeds if one.error is None]:
        steps = ", ".join(f"seed {one.seed} at step {one.stopped_step}" for one in diverged)
        return tree | nothing | {"verdict": f"{NOT_JUDGED}: the loss exploded, {steps}"}
    if row.metric != "top1":
        return tree | nothing | {"verdict": f"{NOT_JUDGED}: top-1 alone is measured"}
    errors = [one.error for one in seeds if one.error is not None]
    ours = measured(errors)
    tree |= {
        "mean": ours.mean,
        "interval": None if ours.low is None else [ours.low, ours.high],
        "median": ours.median,
        "band": None,
    }
    if row.error is None:
        return tree | {"verdict": f"{NOT_JUDGED}: the paper prints a bound"}
    if row.shown.protocol != CENTRE:
        return tree | {"verdict": f"{NOT_JUDGED}: published by {row.shown}, measured by one view"}
    around = band(row.error, spread, seeds[0].n, errors)
    return tree | {"band": around.to_tree(), "verdict": JUDGED_AS[around.verdict(ours.mean)]}


def write_suite(workdir: Path, dataset: str, page: Path | None = None) -> Mapping[str, Any]:
    """Writes what all finished rows of a directory came to: `suite.json`, `.md` and `.html`.

    Args:
        workdir: of the suite.
        dataset: of the suite.
        page: where the markdown is written as well.

    Returns:
        The content of `suite.json`.

    Raises:
        InputError: a file cannot be read or written.
    """
    rows, missing = [], []
    for row in suite_of(dataset):
        tree = files.read_json(workdir / row.folder / ROW)
        if tree is None:
            missing.append(row.recipe)
        else:
            rows.append(tree)
    suite = {"suite": dataset, "rule": RULE, "rows": rows, "not_run": missing}
    files.write_json(workdir / SUITE, suite)
    text = suite_pages.markdown(suite)
    for path in (workdir / PAGE, *([page] if page is not None else [])):
        files.write_text(path, text)
    files.write_text(workdir / HTML, suite_pages.html_page(suite))
    return suite
