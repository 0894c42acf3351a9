"""The report of an ablation: tables in Markdown, CSV and LaTeX, statistics and figures."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.ablation import report_tables
from cnn_jax.ablation.convergence import convergence
from cnn_jax.ablation.curve_pictures import draw_ablation_curves
from cnn_jax.ablation.effect_pictures import draw_effects
from cnn_jax.ablation.effects import analyse
from cnn_jax.ablation.statistics import (
    GAP,
    TEST,
    VALIDATION,
    Cell,
    Difference,
    Interval,
    Summary,
    baseline_of,
    cells_of,
    differences,
    judge_of,
)
from cnn_jax.ablation.table import Table
from cnn_jax.config.problems import InputError
from cnn_jax.training.layer_statistics_picture import draw_signals

SHOWN = (VALIDATION, TEST, "train_error", GAP)
LOSSES = ("test_loss", "train_loss", "validation_loss")


def write_report(
    directory: Path, test: str = "t", say: Callable[[str], None] = lambda text: None
) -> str:
    """Writes tables and figures of an ablation beside its `ablation.json`.

    `table.md`, `table.tex` (needs booktabs) and `table.csv` have errors in percent,
    `statistics.json` in fractions; `curves.png` and `effects.png` are the figures, `signals.png`
    too where there is a `signals.json`, each also as PDF. Cells are compared on validation, where
    there is such a split, and test stands beside it. What is shown depends on these two files
    alone.

    Args:
        directory: of the ablation.
        test: of the paired comparisons, `t` or `wilcoxon`.
        say: is told the tables before anything is written.

    Returns:
        The tables for a terminal.

    Raises:
        InputError: there is no `ablation.json` in the directory, or it is damaged.
    """
    path = Path(directory) / "ablation.json"
    tree = files.read_json(path)
    if tree is None:
        raise InputError(f"{path}: no such file; an ablation writes it at its end")
    summary = statistics(tree, test)
    tables = tables_of(tree, summary, test)
    name, config_hash = tree["name"], tree["config_hash"]
    title = f"Ablation {name}, config {config_hash}"
    text = "\n\n".join([title, *(table.text() for table in tables)])
    say(text)
    files.write_json(path.parent / "statistics.json", _plain(summary))
    files.write_text(path.parent / "table.csv", _csv(summary))
    files.write_text(path.parent / "table.tex", "\n".join(table.latex() for table in tables))
    files.write_text(
        path.parent / "table.md", f"# {title}\n\n" + "\n".join(t.markdown() for t in tables)
    )
    judge, pictures = summary["judge"], path.parent
    what = report_tables.NAMES[judge]
    of_all = f"{name}: {len(tree['members'])} members"
    draw_ablation_curves(tree["members"], of_all, pictures / "curves.png", config_hash)
    draw_effects(
        summary["metrics"][judge]["cells"],
        *(what, f"{name}: mean {what} by level", pictures / "effects.png", config_hash),
    )
    if signals := files.read_json(path.parent / "signals.json"):
        before = f"{name}: before the first step"
        draw_signals(signals, before, pictures / "signals.png", config_hash)
    return text


def statistics(tree: Mapping[str, Any], test: str = "t") -> dict[str, Any]:
    """Returns all figures of an ablation: for every metric cells, for some differences and effects.

    Args:
        tree: of `ablation.json`.
        test: of the paired comparisons.
    """
    baseline, judge = baseline_of(tree), judge_of(tree["members"])
    metrics: dict[str, dict[str, Any]] = {}
    for metric in (*SHOWN, *LOSSES):
        cells = cells_of(tree["members"], metric)
        if metric == judge or any(cell.values for cell in cells):
            metrics[metric] = {"cells": cells}
        if metric in metrics and metric in (judge, TEST, GAP):
            metrics[metric] |= {
                "differences": differences(cells, baseline, test),
                "effects": analyse(cells),
            }
    return {
        "baseline": baseline,
        "judge": judge,
        "test": test,
        "metrics": metrics,
        "convergence": convergence(tree["members"], baseline),
    }


def tables_of(tree: Mapping[str, Any], summary: Mapping[str, Any], test: str) -> list[Table]:
    """Returns the tables of the report.

    Args:
        tree: of `ablation.json`.
        summary: its statistics.
        test: of the paired comparisons.
    """
    metrics, baseline, judge = summary["metrics"], summary["baseline"], summary["judge"]
    judged = metrics[judge]
    columns = {name: metrics[name]["cells"] for name in SHOWN if name in metrics}
    tables = [
        report_tables.cell_table(
            columns, judge, judged["differences"], baseline, test, judged["effects"]
        )
    ]
    pivots = len(tree["factors"]) > 1
    if pivots:
        tables.append(report_tables.pivot_table(judged["cells"], judge))
    if judged["effects"].effects:
        tables.append(report_tables.effect_table(judged["effects"], judge))
    if summary["convergence"]:
        tables.append(report_tables.convergence_table(summary["convergence"], baseline))
    # Test comes last: what is chosen is chosen by then.
    if judge != TEST and TEST in metrics:
        reported = metrics[TEST]
        if len(reported["cells"]) > 1:
            tables.append(report_tables.test_table(reported["differences"], baseline, test))
        if pivots:
            tables.append(report_tables.pivot_table(reported["cells"], TEST))
    for name in (TEST, GAP):
        if name != judge and name in metrics and metrics[name]["effects"].effects:
            tables.append(report_tables.effect_table(metrics[name]["effects"], name))
    return tables


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics as JSON holds them."""
    metrics: dict[str, dict[str, Any]] = {}
    for name, metric in summary["metrics"].items():
        metrics[name] = {"cells": [_plain_cell(cell) for cell in metric["cells"]]}
        if "effects" in metric:
            metrics[name]["differences"] = [asdict(one) for one in metric["differences"]]
            metrics[name]["effects"] = asdict(metric["effects"])
    runs = [asdict(run) | {"median": run.median} for run in summary["convergence"]]
    return {**summary, "metrics": metrics, "convergence": runs}


def _plain_cell(cell: Cell) -> dict[str, Any]:
    summary = cell.summary()
    tree = None if summary is None else asdict(summary) | {"bootstrap": cell.bootstrap()}
    return {"levels": cell.levels, "diverged": cell.diverged, "summary": tree}


def _csv(summary: Mapping[str, Any]) -> str:
    """One row a cell; errors in percent, losses in nats; empty where there is no such figure."""
    metrics = summary["metrics"]
    apart: dict[tuple[str, ...], Difference] = {
        tuple(difference.levels.values()): difference
        for difference in metrics[summary["judge"]]["differences"]
    }
    nothing, rows = Difference({}, 0, None, None, None), []
    for i, cell in enumerate(metrics[summary["judge"]]["cells"]):
        row: dict[str, Any] = dict(cell.levels)
        row |= {"finished": len(cell.values), "diverged": len(cell.diverged)}
        for name, metric in metrics.items():
            row |= _figures(name, metric["cells"][i])
        difference = apart.get(tuple(cell.levels.values()), nothing)
        row |= {
            "difference_percent": _times(difference.mean, 100),
            **_bounds("difference", "_percent", difference.interval, 100),
            "p": difference.p,
            "p_corrected": difference.p_corrected,
        }
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _figures(name: str, cell: Cell) -> dict[str, float | None]:
    figures = cell.summary() or Summary(0, math.nan, None, math.nan, None)
    unit, factor = ("_nats", 1) if name in LOSSES else ("_percent", 100)
    return {
        f"{name}_mean{unit}": _times(figures.mean, factor),
        f"{name}_deviation{unit}": _times(figures.deviation, factor),
        f"{name}_median{unit}": _times(figures.median, factor),
        **_bounds(f"{name}_t", unit, figures.interval, factor),
        **_bounds(f"{name}_bootstrap", unit, cell.bootstrap(), factor),
    }


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None or math.isnan(value) else round(factor * value, 10)


def _bounds(
    name: str, unit: str, interval: Interval | None, factor: float
) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low{unit}": _times(low, factor), f"{name}_high{unit}": _times(high, factor)}
