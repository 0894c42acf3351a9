"""The log of a run: one JSON object a line in `metrics.jsonl`, and TensorBoard events.

A line says its `kind` (`train`, `validation`, `test`), step and epoch. Nothing in a line depends on
the clock or on where a run was interrupted, so the file of a resumed run equals that of an
uninterrupted one. `signals.jsonl` holds the statistics of every layer, where they are measured.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any


class MetricsLog:
    """Appends to the log.

    Args:
        directory: of the run.
        step: the step that the run continues from; later lines were written by steps that are
            about to be made again, and are dropped.
        tensorboard: whether to write events too.
        lead: whether this process writes; the others only know what is there.
    """

    def __init__(self, directory: Path, step: int, tensorboard: bool, lead: bool = True):
        self.path, self.signals = directory / "metrics.jsonl", directory / "signals.jsonl"
        kept = {path: _lines_until(path, step) for path in (self.path, self.signals)}
        self._evaluated = {x["step"] for x in kept[self.path] if x["kind"] == "validation"}
        self._measured = {x["step"] for x in kept[self.signals]}
        self._files: dict[Path, IO[str]] = {}
        self._events: Any = None
        self._lead = lead
        if not lead:
            return
        for path, lines in kept.items():
            if path == self.path or path.exists():
                fresh = path.with_suffix(".new")
                fresh.write_text("".join(json.dumps(line) + "\n" for line in lines))
                fresh.replace(path)
        if tensorboard:
            from tensorboardX import SummaryWriter

            self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)

    def write(self, kind: str, step: int, epoch: float, values: dict[str, Any]) -> None:
        """Writes one line."""
        line = {"kind": kind, "step": step, "epoch": round(epoch, 6)} | values
        if kind == "validation":
            self._evaluated.add(step)
        self._append(self.path, line)
        if self._events is not None:
            for name, value in values.items():
                if not isinstance(value, list):
                    self._events.add_scalar(f"{kind}/{name}", value, step)

    def write_signals(self, step: int, epoch: float, layers: dict[str, dict[str, float]]) -> None:
        """Writes the statistics of every layer, by its name and theirs."""
        self._measured.add(step)
        line = {"kind": "signals", "step": step, "epoch": round(epoch, 6), "layers": layers}
        self._append(self.signals, line)
        if self._events is not None:
            for layer, values in layers.items():
                for name, value in values.items():
                    self._events.add_scalar(f"signals/{name}/{layer}", value, step)

    def has_evaluation(self, step: int) -> bool:
        """Whether the log holds the evaluation on validation at `step`."""
        return step in self._evaluated

    def has_signals(self, step: int) -> bool:
        """Whether the log holds the statistics of the layers at `step`."""
        return step in self._measured

    def flush(self) -> None:
        """Brings everything written so far onto the disk."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes the files."""
        self.flush()
        for file in self._files.values():
            file.close()
        if self._events is not None:
            self._events.close()

    def _append(self, path: Path, line: dict[str, Any]) -> None:
        if not self._lead:
            return
        if path not in self._files:
            self._files[path] = path.open("a")
        self._files[path].write(json.dumps(line) + "\n")


def _lines_until(path: Path, step: int) -> list[dict[str, Any]]:
    return [line for line in read_metrics(path) if line["step"] <= step]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a log; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
