"""Progress on the screen: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

SECONDS_BETWEEN_LINES = 5.0


class ProgressReport:
    """Reports the steps of a run.

    Args:
        total_steps: of the run.
        step: where it begins.
        bar: whether a bar is wanted; it is shown on a terminal only.
        lead: whether this process prints at all.
    """

    def __init__(self, total_steps: int, step: int, bar: bool, lead: bool = True):
        self.total_steps = total_steps
        self.console = Console(highlight=False, soft_wrap=True, quiet=not lead)
        self._last_line = time.monotonic()
        self._task: Any = None
        self._bar = None
        if bar and lead and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("step"),
                MofNCompleteColumn(),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}"),
                console=self.console,
            )
            self._task = self._bar.add_task("train", total=total_steps, completed=step, figures="")
            self._bar.start()

    def update(
        self, step: int, epoch: float, loss: float, error: float, speed: float, left: float
    ) -> None:
        """Reports that `step` steps are made.

        Args:
            step: steps made.
            epoch: passes over train made.
            loss: of the last step.
            error: fraction of the last batch that was wrong.
            speed: images a second; 0 while it is not known.
            left: seconds to the end; NaN while it is not known.
        """
        figures = (
            f"loss {loss:.4f}  error {100 * error:5.2f} %  {speed:,.0f} images/s  "
            f"ETA {duration(left)}"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=step, figures=figures)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            done = f"step {step}/{self.total_steps}  epoch {epoch:.2f}"
            self.say(f"{done}  {figures}")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self.console.print(text, markup=False)

    def close(self) -> None:
        """Takes the bar off."""
        if self._bar is not None:
            self._bar.stop()


def duration(seconds: float) -> str:
    """Returns `1:02:03`, or `?` for NaN."""
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
