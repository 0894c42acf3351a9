"""Progress on the screen: a bar on a terminal, plain lines elsewhere; and no long silence."""

from __future__ import annotations

import contextlib
import math
import re
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

SECONDS_BETWEEN_LINES = 5.0
ROOM_FOR_A_BAR = 116  # columns: of the count, a bar of 24, and all figures
# Seconds since the last word until something that is being done is named; off a terminal lines then
# get rarer, down to one in so long.
ON_A_TERMINAL, ELSEWHERE, RAREST = 1.5, 4.0, 60.0


class Waiting:
    """Says what is being done, and for how long, where that takes more than a moment.

    As a context. A terminal has one line of standard error, written over every second and taken
    away at the end; elsewhere lines come after 4, 8, 16, 32 and 64 seconds, then once a minute.
    Many short things in a row count as one: what matters is when the last word was said. Of several
    that are open the one that was opened last is named.

    Args:
        what: is being done, in words: `reading IMAGES`.
        show: what shows it instead, where a line would be in its way.
        quiet: nothing is said.
    """

    _open: ClassVar[list[Waiting]] = []

    def __init__(self, what: str, show: Callable[[str], object] | None = None, quiet: bool = False):
        self._what, self._show, self._quiet = what, show, quiet
        self._count, self._over = "", threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self) -> Waiting:
        if not self._quiet:
            self._open.append(self)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if not self._quiet:
            self._open.remove(self)
            self._thread.join()

    def done(self, count: int, total: int) -> None:
        """Notes that so many of all are done: the next word says so."""
        self._count = f" {count:,}/{total:,}"

    def _talk(self) -> None:
        began, said = time.monotonic(), False
        over_and_over = self._show is not None or sys.stderr.isatty()
        show = self._show or (_over_write if over_and_over else _line)
        patience = ON_A_TERMINAL if over_and_over else ELSEWHERE
        pause = max(0.2, patience - (began - LastWord.at))
        while not self._over.wait(pause):
            if self._open[-1:] != [self]:
                pause = 1.0
                continue
            seconds = time.monotonic() - began
            show(f"{self._what}{self._count}: {seconds:.0f} s")
            LastWord.said()
            said, pause = True, 1.0 if over_and_over else min(max(seconds, patience), RAREST)
        if said and over_and_over:
            show("")


class LastWord:
    """When this process last said something.

    Attributes:
        at: by the monotonic clock, seconds.
    """

    at = time.monotonic()

    @classmethod
    def said(cls) -> None:
        """Notes that something was said now."""
        cls.at = time.monotonic()


def _over_write(text: str) -> None:
    _write(f"\r\x1b[K{text}")


def _line(text: str) -> None:
    _write(f"{text}\n")


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
        sys.stderr.write(text)
        sys.stderr.flush()


class Screen:
    """Says how much of something is done.

    Args:
        what: is counted: `step`, `members`.
        total: of it.
        done: before.
        bar: whether a bar is wanted; it is shown on a terminal only.
        lead: whether this process prints at all.
    """

    def __init__(self, what: str, total: int, done: int, bar: bool = True, lead: bool = True):
        self.what, self.total = what, total
        self._console = Console(highlight=False, soft_wrap=True, quiet=not lead)
        self._last_line = time.monotonic()
        self._bar: Progress | None = None
        self._task: Any = None
        if bar and lead and self._console.is_terminal:
            wide = [BarColumn(bar_width=24)] if self._console.width >= ROOM_FOR_A_BAR else []
            figures = TextColumn("{task.fields[figures]}")
            columns = (TextColumn(what), MofNCompleteColumn(), *wide, figures)
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task(what, total=total, completed=done, figures="")
            self._bar.start()

    def show(self, done: int, figures: str, of_lines: str = "") -> None:
        """Shows that so much is done, at once on a bar, and now and then as a line.

        Args:
            done: of the total.
            figures: that go with it.
            of_lines: further figures, which a bar has no room for.
        """
        if self._bar is not None:
            room = self._console.width - len(f"{self.what} {self.total}/{self.total} ")
            if len(figures) > room:  # figures alone shall not push the count off the screen
                figures = re.sub(r"  [\d,]+ images/s", "", figures)
            self._bar.update(self._task, completed=done, figures=figures)
            LastWord.said()
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            parts = (f"{self.what} {done}/{self.total}", of_lines, figures)
            self.say("  ".join(part for part in parts if part))

    def waiting(self, what: str) -> Waiting:
        """Returns the context in which something else is done that may take long."""
        bar = self._bar
        if bar is None:
            return Waiting(what, quiet=self._console.quiet)
        return Waiting(what, lambda text: bar.update(self._task, figures=text))

    def say(self, text: str) -> None:
        """Prints a line, above the bar."""
        self._console.print(text, markup=False)
        LastWord.said()

    def close(self) -> None:
        """Takes the bar off."""
        if self._bar is not None:
            self._bar.stop()


class ProgressReport(Screen):
    """Reports the steps of a run.

    Args:
        total_steps: of the run.
        step: where it begins.
        bar: whether a bar is wanted; it is shown on a terminal only.
        lead: whether this process prints at all.
    """

    def __init__(self, total_steps: int, step: int, bar: bool, lead: bool = True):
        super().__init__("step", total_steps, step, bar, lead)

    def update(
        self,
        step: int,
        epoch: float,
        loss: float,
        error: float,
        speed: float,
        left: float,
        validation_error: float | None = None,
    ) -> None:
        """Reports that `step` steps are made.

        Args:
            step: steps made.
            epoch: passes over train made.
            loss: of the last step.
            error: fraction of the last batch that was wrong.
            speed: images a second; 0 while it is not known.
            left: seconds to the end; NaN while it is not known.
            validation_error: fraction of validation that was wrong at the last evaluation; None
                where there was none.
        """
        figures = f"loss {loss:.4f}  error {100 * error:5.2f} %"
        if validation_error is not None:
            figures += f"  validation {100 * validation_error:.2f} %"
        if speed:
            figures += f"  {speed:,.0f} images/s  ETA {duration(left)}"
        self.show(step, figures, f"epoch {epoch:.2f}")


def duration(seconds: float) -> str:
    """Returns `1:02:03`, or `?` for NaN."""
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
