"""The progress of a long command: one line that is written over, or a line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

SECONDS_ON_A_TERMINAL, SECONDS_ELSEWHERE = 0.2, 60.0


class ProgressLines:
    """A function (what, done, of how many) that tells the user, as a context.

    Args:
        out: where to; None: standard error.
    """

    def __init__(self, out: TextIO | None = None):
        self._out = sys.stderr if out is None else out
        self._terminal = self._out.isatty()
        self._every = SECONDS_ON_A_TERMINAL if self._terminal else SECONDS_ELSEWHERE
        self._what, self._began, self._told = "", 0.0, 0.0

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal and self._what:
            self._out.write("\n")

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tells that `done` of `total` are done."""
        now = time.monotonic()
        if what != self._what:
            if self._terminal and self._what:
                self._out.write("\n")
            self._what, self._began, self._told = what, now, 0.0
        if now - self._told < self._every and done < total:
            return
        self._told = now
        left = (now - self._began) * (total - done) / max(done, 1)
        text = f"{what}: {done:,}/{total:,} ({100 * done / max(total, 1):.0f} %), {left:.0f} s left"
        self._out.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._out.flush()
