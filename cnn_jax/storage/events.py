"""TensorBoard events, written by the thread that makes them.

The writers of tensorboardX itself hand them to a thread of their own: on a full disk it dies, and
who hands it the next events waits for ever.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cnn_jax import files


class Events:
    """Appends scalars to an event file of its own.

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
        from tensorboardX.summary import scalar

        self._directory, self._event, self._scalar = directory, Event, scalar

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
        summary = self._scalar(name, value)
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        self._try(lambda: self._writer.write_event(event))

    def flush(self) -> None:
        """Brings all events onto the disk."""
        self._try(self._writer.flush)

    def close(self) -> None:
        """Flushes and closes the file."""
        self._try(self._writer.close)

    def _try(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            raise files.cannot_write(self._directory, error) from error
