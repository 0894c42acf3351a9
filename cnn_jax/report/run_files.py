"""What the files of a run say, read once; a run that is still going has some of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.files import read_json
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_summary import ABLATION, DAMAGED, RUN, RunSummary, summary_of


@dataclass(frozen=True)
class RunFiles:
    """A run directory.

    Attributes:
        summary: its state and where it stands.
        saved: content of `config.json`: config, hash, command, machine, versions.
        result: content of `result.json`; None before the end.
        log: lines of `metrics.jsonl`.
    """

    summary: RunSummary
    saved: Mapping[str, Any]
    result: Mapping[str, Any] | None
    log: list[dict[str, Any]]

    @property
    def path(self) -> Path:
        """The directory."""
        return self.summary.path

    @property
    def config(self) -> dict[str, Any]:
        """The config tree, as it was saved."""
        return self.saved["config"]

    @property
    def command(self) -> str:
        """What began the run, as one types it."""
        return shlex.join(["python", *map(str, self.saved.get("command", ())[1:])])

    def text(self, name: str) -> str:
        """Returns the content of a text file of the run; empty where there is none."""
        try:
            return (self.path / name).read_text()
        except (OSError, UnicodeDecodeError):
            return ""


def run_files(workdir: Path) -> RunFiles:
    """Returns what the files of a run say.

    Raises:
        InputError: the directory is none of a run, or a file of it is damaged.
    """
    summary = summary_of(workdir)
    if summary.kind != RUN:
        mends = f"; --ablation={workdir} reports it" if summary.kind == ABLATION else ""
        raise InputError(f"{workdir} holds no run but a whole {summary.kind}{mends}")
    if summary.state == DAMAGED:
        raise InputError(f"{workdir}: {summary.problem}")
    return RunFiles(
        summary,
        read_json(workdir / "config.json"),
        read_json(workdir / "result.json"),
        read_metrics(workdir / "metrics.jsonl"),
    )
