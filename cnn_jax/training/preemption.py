"""SIGTERM, SIGHUP, Ctrl-C and the like: heard at any moment, answered within a deadline.

SIGTERM comes from `kill` and from every scheduler; SIGHUP from a terminal that is lost; SIGUSR1,
SIGUSR2 and SIGXCPU from schedulers ahead of the end (Slurm's --signal, -notify of Grid Engine, a
limit of processor time). Unheard, each of them ends a process.

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

from cnn_jax.storage.working_copy import ADDRESSES, in_words

PREEMPTED = 75  # exit code: a checkpoint is saved, run the same command again
AHEAD = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, *AHEAD)
# Asked for twice, these end a process at once. Of the others several come by themselves: a shell
# and the kernel each send SIGHUP, systemd sends it after SIGTERM, SIGXCPU comes every second.
INSISTING = (signal.SIGTERM, signal.SIGINT)


class PreemptionRequested(BaseException):
    """Raised by `poll` in the main thread once a signal has come.

    Not an `Exception`: no handler of ordinary errors on the way may swallow it.
    """


class Preemption:
    """A context in which the process ends in good order on any of `SIGNALS`.

    A second SIGTERM or Ctrl-C ends it at once. SIGHUP that is ignored, as under nohup, stays so.
    What is printed and cannot be written any more is dropped.

    Attributes:
        grace_seconds: longest wait for the main thread to poll after the signal.
        saved_step: step of the newest complete checkpoint; None when there is none yet.
    """

    def __init__(self, grace_seconds: float = 20.0):
        self.grace_seconds = grace_seconds
        self.saved_step: int | None = None
        self._heard: int | None = None
        self._trained = False
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

    def trained(self) -> None:
        """Notes that all is trained and saved: a signal now ends the process at once.

        What follows, tables and figures, the same command makes anew. Each file is written in one
        step, so that none is half there.

        Raises:
            PreemptionRequested: a signal has come before.
        """
        self._trained = True  # first: a signal that comes between the two is heard by the thread
        self.poll()

    def __enter__(self) -> Preemption:
        self._write.setblocking(False)
        self._screen = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (Droppable(under(stream)) for stream in self._screen)
        for number in SIGNALS:
            # Ignored by nohup, which means it; a shell ignores SIGINT for whatever has an `&`.
            if number not in INSISTING and signal.getsignal(number) is signal.SIG_IGN:
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
            if self.requested and (byte[0] != self._heard or byte[0] not in INSISTING):
                continue
            if self.requested:
                _say(f"{name} again: stopping at once")
                os._exit(128 + byte[0])
            self._heard = byte[0]
            if self._trained:
                _say(f"{name}: stopping; all is trained, and the same command reports it")
                os._exit(PREEMPTED)
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
    """A stream that drops what it cannot write.

    Args:
        stream: stands for the rest of it.
        but: errors that are raised all the same.

    Attributes:
        stream: that one.
        lost: why something was dropped; None: nothing was.
    """

    def __init__(self, stream: Any, but: type[OSError] | tuple[()] = ()):
        self.stream, self._but = stream, but
        self.lost: str | None = None

    def write(self, text: str) -> int:
        """Writes text, as far as somebody takes it."""
        try:
            self.stream.write(in_words(text) if ADDRESSES else text)
        except (OSError, ValueError) as error:  # broken, full or closed
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Brings out what was written."""
        try:
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        """Lets all go nowhere from now on, also what is waiting to be written."""
        if isinstance(error, self._but):
            raise error
        self.lost = self.lost or getattr(error, "strerror", None) or str(error)
        with open(os.devnull, "w") as nowhere, contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), self.stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def under(stream: Any) -> Any:
    """Returns the stream under a `Droppable`, or the stream itself."""
    return stream.stream if isinstance(stream, Droppable) else stream


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)
