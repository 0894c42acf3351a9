"""Runs in words: a line each, or everything of one."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnn_jax.config.aligned import aligned
from cnn_jax.config.identity import maths_keys
from cnn_jax.config.saved import complete
from cnn_jax.config.schema import base_config
from cnn_jax.config.values import text_of
from cnn_jax.files import read_json
from cnn_jax.storage.run_summary import DAMAGED, RECORDS, RUN, RunSummary

HEAD = ("name", "state", "config", "hash", "network", "epochs", "val. %", "test %", "size", "date")
UNITS = ("B", "kB", "MB", "GB", "TB")


def sorted_by(runs: Sequence[RunSummary], what: str) -> list[RunSummary]:
    """Returns runs in an order: by `name`, newest `date`, largest `size`, or lowest error first."""

    def key(run: RunSummary) -> Any:
        match what:
            case "date":
                return -run.changed
            case "size":
                return -run.bytes
            case "validation" | "test":
                error = run.validation_error if what == "validation" else run.test_error
                return math.inf if error is None or math.isnan(error) else error
        return str(run.path)

    return sorted(runs, key=key)


def listed(runs: Sequence[RunSummary], directory: Path) -> str:
    """Returns a table of runs, and below it what is damaged.

    Args:
        runs: below the directory.
        directory: whose name is left out.
    """
    if not runs:
        return f"no runs in {directory}/"
    rows = [_row(run, directory) for run in runs]
    lines = aligned([HEAD, *rows], right={5, 6, 7, 8})
    lines += [f"{run.path}: {run.problem}" for run in runs if run.state == DAMAGED]
    total = in_bytes(sum(run.bytes for run in runs))
    return "\n".join([*lines, f"{len(runs)} in {directory}/, {total}"])


def shown(run: RunSummary) -> str:
    """Returns everything that the files of a run, an ablation or a search say, for the screen."""
    epochs = f", {_progress(run)} epochs" if run.epochs else ""
    step = f", step {run.step:,}" if run.step is not None else ""
    lines = [f"{run.path}: {run.kind}, {run.state}{step}{epochs}"]
    if run.problem:
        return "\n".join([*lines, run.problem])
    for name, error in (("validation", run.validation_error), ("test", run.test_error)):
        if error is not None:
            lines.append(f"{name} error {_percent(error)} %")
    lines.append(f"{in_bytes(run.bytes)}, written last on {_date(run.changed)}")
    saved = read_json(run.path / RECORDS[run.kind])
    lines.append(f"command: {shlex.join(['python', *map(str, saved.get('command', ())[1:])])}")
    lines.append(", ".join(f"{name} {one}" for name, one in saved.get("versions", {}).items()))
    config = saved["config"] if run.kind == RUN else saved[run.kind]["base"]
    lines.append(f"config {run.config_hash or 'of the base'}, what is not at its default:")
    lines += [f"  {key} = {text_of(value)}" for key, value in _set(config).items()]
    if (run.path / "checkpoints").is_dir():
        steps = sorted(int(p.name) for p in (run.path / "checkpoints").glob("[0-9]*"))
        lines.append(f"checkpoints: {', '.join(map(str, steps)) or 'none'}")
    if result := read_json(run.path / "result.json"):
        lines.append("result:")
        lines += [f"  {name} = {value}" for name, value in result.items()]
    return "\n".join(lines)


def in_bytes(count: float) -> str:
    """Returns a number of bytes with three digits and its unit.

    Example:
        >>> [in_bytes(count) for count in (0, 999, 1234567, 5.1e15)]
        ['0 B', '999 B', '1.23 MB', '5,100 TB']
    """
    power = min(int(math.log10(max(count, 1)) / 3), len(UNITS) - 1)
    number = count / 1000**power
    digits = max(0, 2 - int(math.log10(max(number, 1)))) if power else 0
    return f"{number:,.{digits}f} {UNITS[power]}"


def _row(run: RunSummary, directory: Path) -> tuple[str, ...]:
    name = str(run.path.relative_to(directory)) if run.path != directory else str(run.path)
    kind = "" if run.kind == RUN else f" ({run.kind})"
    return (
        name + kind,
        run.state,
        run.config_file or "-",
        run.config_hash or "-",
        run.network or "-",
        _progress(run),
        _percent(run.validation_error),
        _percent(run.test_error),
        in_bytes(run.bytes),
        _date(run.changed),
    )


def _progress(run: RunSummary) -> str:
    if run.epochs is None:
        return "-"
    return f"{run.epochs:g}" if run.epoch is None else f"{run.epoch:.4g}/{run.epochs:g}"


def _percent(error: float | None) -> str:
    return "-" if error is None or math.isnan(error) else f"{100 * error:.2f}"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else "-"


def _set(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys that change the numbers and are not at their defaults."""
    default = maths_keys(base_config().to_dict())
    now = maths_keys(complete(config)[0].to_dict())
    return {key: value for key, value in now.items() if value != default[key]}
