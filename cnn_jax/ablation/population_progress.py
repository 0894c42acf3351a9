"""Progress of a population on the screen: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cnn_jax.training.progress import SECONDS_BETWEEN_LINES, duration


class PopulationProgress:
    """Reports members, waves and the time that is left. Safe in threads.

    Args:
        members: in all.
        done: of them, before.
        steps: that are left to make, over all members.
        say: prints a line.
        bar: whether a bar is wanted; it is shown on a terminal only.
    """

    def __init__(
        self, members: int, done: int, steps: int, say: Callable[[str], None], bar: bool = True
    ):
        self.members, self.done, self.diverged = members, done, 0
        self._steps_left, self._made, self._say = steps, 0, say
        self._began: float | None = None
        self._last_line = time.monotonic()
        self._wave = ""
        self._lock = threading.Lock()
        self._bar, self._task = None, None
        console = Console(highlight=False, soft_wrap=True)
        if bar and console.is_terminal:
            self._bar = Progress(
                TextColumn("members"),
                MofNCompleteColumn(),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[figures]}"),
                console=console,
            )
            self._task = self._bar.add_task("train", total=members, completed=done, figures="")
            self._bar.start()

    def began(self, wave: str) -> None:
        """Reports that a wave begins."""
        with self._lock:
            self._wave = wave

    def made(self, steps: int, now: bool) -> None:
        """Reports steps, counted over all members.

        Args:
            steps: how many.
            now: whether they were made now, or before the wave was saved.
        """
        with self._lock:
            if now and self._began is None:
                self._began = time.monotonic()  # the first steps compile: they are not timed
            elif now:
                self._made += steps
            self._steps_left -= steps
            self._show()

    def finished(self, states: list[str], unmade_steps: int) -> None:
        """Reports that the members of a wave are finished.

        Args:
            states: `done` or `diverged` of each.
            unmade_steps: of those that ended early.
        """
        with self._lock:
            self.done += len(states)
            self.diverged += states.count("diverged")
            self._steps_left -= unmade_steps
            self._show()

    def close(self) -> None:
        """Takes the bar off."""
        if self._bar is not None:
            self._bar.stop()

    def _show(self) -> None:
        figures = f"{self._wave}  ETA {duration(self._seconds_left())}"
        if self.diverged:
            figures = f"{self.diverged} diverged  {figures}"
        if self._bar is not None:
            bar: Any = self._bar
            bar.update(self._task, completed=self.done, figures=figures)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._say(f"members {self.done}/{self.members}  {figures}")

    def _seconds_left(self) -> float:
        if self._began is None or not self._made:
            return float("nan")
        return self._steps_left * (time.monotonic() - self._began) / self._made
