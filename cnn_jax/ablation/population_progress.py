"""Progress of a population on the screen: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from cnn_jax.training.progress import Screen, duration


class PopulationProgress(Screen):
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
        super().__init__("members", members, done, bar)
        self.done, self.diverged = done, 0
        self._steps_left, self._made, self._say = steps, 0, say
        self._began: float | None = None
        self._wave = ""
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Prints a line where the caller wants them."""
        self._say(text)

    def began(self, wave: str) -> None:
        """Reports that a wave begins."""
        with self._lock:
            self._wave = wave
            self._show()

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

    def _show(self) -> None:
        figures = self._wave
        if not math.isnan(left := self._seconds_left()):
            figures += f"  ETA {duration(left)}"
        if self.diverged:
            figures = f"{self.diverged} diverged  {figures}"
        self.show(self.done, figures)

    def _seconds_left(self) -> float:
        if self._began is None or not self._made:
            return float("nan")
        return self._steps_left * (time.monotonic() - self._began) / self._made
