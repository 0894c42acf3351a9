"""The log of a run: one JSON object a line in `metrics.jsonl`, and TensorBoard events.

A line says its `kind` (`train`, `validation`, `test`), step and epoch. Nothing in a line depends on
the clock or on where a run was interrupted, so the file of a resumed run equals that of an
uninterrupted one. `signals.jsonl` holds the statistics of every layer, where they are measured.
A number that is not finite is null in the file, and NaN for who reads it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnn_jax import files
from cnn_jax.config.problems import InputError

Line = dict[str, Any]


class MetricsLog:
    """Appends to the log.

    Args:
        directory: of the run.
        step: the step that the run continues from; later lines were written by steps that are
            about to be made again, and are dropped.
        tensorboard: whether to write events too.
        lead: whether this process writes; the others only know what is there.
        before_flush: brings onto the disk what must be there no later than the log.

    Raises:
        InputError: a line before the last one is damaged.
    """

    def __init__(
        self,
        directory: Path,
        step: int,
        tensorboard: bool,
        lead: bool = True,
        before_flush: Callable[[], None] = lambda: None,
    ):
        self.path, self.signals = directory / "metrics.jsonl", directory / "signals.jsonl"
        kept = {path: _lines_until(path, step) for path in (self.path, self.signals)}
        self._known = {_key(line): line for lines in kept.values() for line in lines}
        self._files: dict[Path, IO[str]] = {}
        self._events: Events | None = None
        self._lead, self._before_flush = lead, before_flush
        if not lead:
            return
        for path, lines in kept.items():
            if path == self.path or path.exists():
                files.write_text(path, "".join(_text(line) for line in lines))
        if tensorboard:
            self._events = Events(directory / "tensorboard", purge_step=step + 1)

    def write(self, kind: str, step: int, epoch: float, values: dict[str, Any]) -> None:
        """Writes one line."""
        self._append(self.path, {"kind": kind, "step": step, "epoch": round(epoch, 6)} | values)
        if self._events is not None:
            for name, value in values.items():
                if not isinstance(value, list):
                    self._events.add(f"{kind}/{name}", value, step)

    def write_signals(self, step: int, epoch: float, layers: dict[str, dict[str, float]]) -> None:
        """Writes the statistics of every layer, by its name and theirs."""
        line = {"kind": "signals", "step": step, "epoch": round(epoch, 6), "layers": layers}
        self._append(self.signals, line)
        if self._events is not None:
            for layer, values in layers.items():
                for name, value in values.items():
                    self._events.add(f"signals/{name}/{layer}", value, step)

    def write_pictures(self, step: int, pictures: dict[str, np.ndarray]) -> None:
        """Writes pictures, uint8 (H, W, 3), to TensorBoard by their names; nowhere else."""
        if self._events is not None:
            for name, picture in pictures.items():
                self._events.add_picture(f"pictures/{name}", picture, step)

    def has_evaluation(self, step: int) -> bool:
        """Whether the log holds the evaluation on validation at `step`."""
        return ("validation", step) in self._known

    def has_signals(self, step: int) -> bool:
        """Whether the log holds the statistics of the layers at `step`."""
        return ("signals", step) in self._known

    def values(self, kind: str, step: int) -> dict[str, Any] | None:
        """Returns what was written of a kind at a step, None where nothing was."""
        line = self._known.get((kind, step))
        head = ("kind", "step", "epoch")
        return None if line is None else {k: v for k, v in line.items() if k not in head}

    def last(self, kind: str) -> dict[str, Any] | None:
        """Returns what was last written of a kind, None where nothing was."""
        steps = [step for known, step in self._known if known == kind]
        return self.values(kind, max(steps)) if steps else None

    def flush(self) -> None:
        """Brings everything written so far onto the disk.

        Raises:
            InputError: it cannot be written.
        """
        self._before_flush()
        for path, file in self._files.items():
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise files.cannot_write(path, error) from error
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Flushes and closes the files."""
        try:
            self.flush()
        finally:
            for file in self._files.values():
                try:
                    file.close()
                except OSError:  # it was said by the flush
                    continue
            if self._events is not None:
                self._events.close()

    def _append(self, path: Path, line: Line) -> None:
        if _key(line) in self._known:
            return  # an earlier call has written it: again it would be the same
        if line["kind"] != "train":  # nobody asks for those, and they are many
            self._known[_key(line)] = line
        if not self._lead:
            return
        try:
            if path not in self._files:
                self._files[path] = path.open("a", encoding="utf-8")
            self._files[path].write(_text(line))
        except OSError as error:
            raise files.cannot_write(path, error) from error


class Events:
    """Appends scalars to a TensorBoard event file of its own, by the thread that makes them.

    The writers of tensorboardX itself hand them to a thread of their own: on a full disk it dies,
    and who hands it the next events waits for ever.

    Args:
        directory: of all event files of a run.
        purge_step: events of earlier calls from this step on are hidden by TensorBoard.

    Raises:
        InputError: as all methods, it cannot be written.
    """

    def __init__(self, directory: Path, purge_step: int):
        # Imported here: a run without events need not wait for it.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import image, scalar

        self._directory, self._event = directory, Event
        self._scalar, self._image = scalar, image

        def begin() -> None:
            directory.mkdir(exist_ok=True)
            self._writer = EventsWriter(str(directory / "events"))
            log = SessionLog(status=SessionLog.START)
            self._writer.write_event(Event(step=purge_step, file_version="brain.Event:2"))
            self._writer.write_event(Event(step=purge_step, session_log=log))
            self._writer.flush()

        self._try(begin)

    def add(self, name: str, value: float, step: int) -> None:
        """Appends one scalar."""
        self._append(self._scalar(name, value), step)

    def add_picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """Appends one picture, uint8 (H, W, 3)."""
        self._append(self._image(name, picture, dataformats="HWC"), step)

    def flush(self) -> None:
        """Brings all events onto the disk."""
        self._try(self._writer.flush)

    def close(self) -> None:
        """Flushes and closes the file."""
        self._try(self._writer.close)

    def _append(self, summary: Any, step: int) -> None:
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        self._try(lambda: self._writer.write_event(event))

    def _try(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            raise files.cannot_write(self._directory, error) from error


def _key(line: Line) -> tuple[str, int]:
    return line["kind"], line["step"]


def _text(line: Line) -> str:
    return files.json_text(line) + "\n"


def _lines_until(path: Path, step: int) -> list[Line]:
    """Returns the lines up to a step; of several of one kind and step the first."""
    lines: dict[tuple[str, int], Line] = {}
    for line in read_metrics(path):
        if line["step"] <= step:
            lines.setdefault(_key(line), line)
    return list(lines.values())


def read_metrics(path: Path) -> list[Line]:
    """Returns the lines of a log; a last line that a kill cut short is left out.

    Raises:
        InputError: a line before the last one is damaged: no kill does that.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    texts = content.split(b"\n")
    if not texts[-1]:
        texts.pop()
    lines = []
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(_parsed(text))
        except (ValueError, RecursionError) as error:
            if number == len(texts):
                break
            raise InputError(
                f"{path}, line {number} of {len(texts)} is damaged ({error}); nothing was "
                "changed. Put a sound copy of the file in its place, or delete this line by "
                f"hand (sed -i {number}d {path}): its figures are then missing from the log; the "
                "same command goes on afterwards"
            ) from error
    return lines


def _parsed(text: bytes) -> Line:
    line = json.loads(text.decode())
    if not isinstance(line, dict):
        raise ValueError("no JSON object")
    if not isinstance(line.get("kind"), str) or type(line.get("step")) is not int:
        raise ValueError("no kind and step in it")
    return files.with_nan(line)
