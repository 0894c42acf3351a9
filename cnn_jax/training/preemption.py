"""SIGTERM, SIGHUP and Ctrl-C: heard at any moment, answered within a deadline.

A Python signal handler runs between two bytecodes of the main thread, so a long compilation would
keep it waiting. The signal's number is therefore also written to a pipe by the interpreter's C
handler, and a thread reads it. The loop polls; if it cannot (it compiles, or a step is long), the
thread ends the process at the deadline: the newest checkpoint is then all there is, and valid.

What is printed may be lost with the terminal, or on a full disk; the run may not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from types import TracebackType
from typing import Any, NoReturn

PREEMPTED = 75  # exit code: a checkpoint is saved, run the same command again
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class PreemptionRequested(BaseException):
    """Raised by `poll` in the main thread once a signal has come.

    Not an `Exception`: no handler of ordinary errors on the way may swallow it.
    """


class Preemption:
    """A context in which the process ends in good order on SIGTERM, SIGINT and SIGHUP.

    A second signal ends it at once. SIGHUP that is ignored, as under nohup, stays so. What is
    printed and cannot be written any more is dropped.

    Attributes:
        grace_seconds: longest wait for the main thread to poll after the signal.
        saved_step: step of the newest complete checkpoint; None when there is none yet.
    """

    def __init__(self, grace_seconds: float = 20.0):
        self.grace_seconds = grace_seconds
        self.saved_step: int | None = None
        self._heard: int | None = None
        self._answered = threading.Event()
        self._read, self._write = socket.socketpair()
        self._before: dict[int, object] = {}
        self._wakeup = -1
        self._screen: tuple[Any, Any] = (None, None)

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self._heard is not None

    def poll(self) -> None:
        """Raises `PreemptionRequested` if a signal has come."""
        if self.requested:
            self.answer()

    def answer(self) -> NoReturn:
        """Raises `PreemptionRequested`, and calls the deadline off."""
        self._answered.set()
        raise PreemptionRequested

    def __enter__(self) -> Preemption:
        self._write.setblocking(False)
        self._screen = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Droppable(sys.stdout), Droppable(sys.stderr)
        for number in SIGNALS:
            # Ignored by nohup, which means it; a shell ignores SIGINT for whatever has an `&`.
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            # An empty handler: the C handler writes to the pipe only for signals that have one.
            self._before[number] = signal.signal(number, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._write.fileno())
        threading.Thread(target=self._listen, name="preemption", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._answered.set()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = self._screen
        self._write.close()

    def _listen(self) -> None:
        while byte := self._read.recv(1):
            if byte[0] not in SIGNALS:
                continue
            name = signal.Signals(byte[0]).name
            if self.requested:
                _say(f"{name} again: stopping at once")
                os._exit(128 + byte[0])
            self._heard = byte[0]
            _say(f"{name}: saving a checkpoint and stopping; once more to stop at once")
            threading.Thread(target=self._deadline, daemon=True).start()
        self._read.close()

    def _deadline(self) -> None:
        if self._answered.wait(self.grace_seconds):
            return
        if self.saved_step is None:
            _say("nothing was trained yet and no checkpoint is there; stopping")
            os._exit(128 + (self._heard or 0))
        _say(
            f"the running step or compilation did not end in {self.grace_seconds:g} s: stopping; "
            f"the checkpoint of step {self.saved_step} stands; run the same command again"
        )
        os._exit(PREEMPTED)


class Droppable:
    """A stream that drops what it cannot write, and says nothing of it.

    Args:
        stream: stands for the rest of it.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text, as far as somebody takes it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):  # broken, full or closed
            self._drop()
        return len(text)

    def flush(self) -> None:
        """Brings out what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._drop()

    def _drop(self) -> None:
        """Lets all go nowhere from now on, also what is waiting to be written."""
        with open(os.devnull, "w") as nowhere, contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)
