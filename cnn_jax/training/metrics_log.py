"""The log of a run: one JSON object a line in `metrics.jsonl`, and TensorBoard events.

A line says its `kind` (`train`, `validation`, `test`), step and epoch. Nothing in a line depends on
the clock or on where a run was interrupted, so the file of a resumed run equals that of an
uninterrupted one.
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
        self.path = directory / "metrics.jsonl"
        kept = [line for line in read_metrics(self.path) if line["step"] <= step]
        self._evaluated = {line["step"] for line in kept if line["kind"] == "validation"}
        self._file: IO[str] | None = None
        self._events: Any = None
        if not lead:
            return
        fresh = self.path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in kept))
        fresh.replace(self.path)
        self._file = self.path.open("a")
        if tensorboard:
            from tensorboardX import SummaryWriter

            self._events = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)

    def write(self, kind: str, step: int, epoch: float, values: dict[str, Any]) -> None:
        """Writes one line."""
        line = {"kind": kind, "step": step, "epoch": round(epoch, 6)} | values
        if kind == "validation":
            self._evaluated.add(step)
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
        if self._events is not None:
            for name, value in values.items():
                if not isinstance(value, list):
                    self._events.add_scalar(f"{kind}/{name}", value, step)

    def has_evaluation(self, step: int) -> bool:
        """Whether the log holds the evaluation on validation at `step`."""
        return step in self._evaluated

    def flush(self) -> None:
        """Brings everything written so far onto the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes the files."""
        self.flush()
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()


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
