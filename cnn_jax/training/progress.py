"""Progress on the screen: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

SECONDS_BETWEEN_LINES = 5.0


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
            self._bar = Progress(
                TextColumn(what),
                MofNCompleteColumn(),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}"),
                console=self._console,
            )
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
            self._bar.update(self._task, completed=done, figures=figures)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            parts = (f"{self.what} {done}/{self.total}", of_lines, figures)
            self.say("  ".join(part for part in parts if part))

    def say(self, text: str) -> None:
        """Prints a line, above the bar."""
        self._console.print(text, markup=False)

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
