"""Progress of a suite on the screen: which row, which seed, and the minutes that are left."""

from __future__ import annotations

import threading
import time

from cnn_jax.ablation.schedule import Slot
from cnn_jax.diagnostics.suite_plan import Cost
from cnn_jax.training.progress import Screen, Waiting, duration


class SuiteProgress(Screen):
    """Reports rows, seeds and the time that is left. Safe in threads.

    Args:
        seeds: of all rows.
        done: of them, before.
        rows: of the suite.
        devices: that train at the same time.
    """

    def __init__(self, seeds: int, done: int, rows: int, devices: int):
        super().__init__("seeds", seeds, done)
        self.count, self.rows = done, rows
        self.lock = threading.Lock()
        self._expected: dict[Slot, OneSeed] = {}
        self._devices = devices
        self._seconds, self._guessed = 0.0, 0.0

    def expect(self, slot: Slot, recipe: str, place: int, cost: Cost) -> None:
        """Notes a seed that is left.

        Args:
            slot: number of the row and of the seed.
            recipe: of the row.
            place: of the row in the order of training.
            cost: of the seed.
        """
        self._expected[slot] = OneSeed(self, f"{place}", recipe, slot.number, cost)

    def close(self) -> None:
        """Takes the bar off, and says no more."""
        for one in self._expected.values():
            one.close()
        super().close()

    def of(self, slot: Slot) -> OneSeed:
        """Returns what a seed reports to."""
        return self._expected[slot]

    def report(self, seed: OneSeed) -> None:
        """Shows where a seed stands; the lock is held."""
        self.show(self.count, "  ".join(filter(None, (f"{seed}", self.left_in_words()))))

    def left_in_words(self) -> str:
        """Returns the time that is left, empty while it is not known."""
        if not self._guessed:
            return ""
        pace = self._seconds / self._guessed
        guess = sum(one.guess_left for one in self._expected.values())
        return f"left {duration(pace * guess / self._devices)}"

    def timed(self, seconds: float, guessed: float) -> None:
        """Notes how long something took that was taken to cost so much; the lock is held."""
        self._seconds += seconds
        self._guessed += guessed


class OneSeed:
    """One seed in training, as its worker reports it.

    Args:
        suite: the screen of all.
        place: of its row.
        recipe: of its row.
        seed: which.
        cost: of it.
    """

    def __init__(self, suite: SuiteProgress, place: str, recipe: str, seed: int, cost: Cost):
        self._suite, self._place, self._recipe, self._seed = suite, place, recipe, seed
        self._cost, self._step = cost, 0
        self._last: float | None = None
        self._evaluating: Waiting | None = None

    def __str__(self) -> str:
        return (
            f"row {self._place} of {self._suite.rows}, {self._recipe}, seed {self._seed}: "
            f"step {self._step:,}/{self._cost.steps:,}"
        )

    @property
    def guess_left(self) -> float:
        """Seconds, as they are taken to be, of the steps that are left."""
        return self._cost.guess * (1 - self._step / self._cost.steps)

    def began(self, wave: str) -> None:
        """Says that it begins."""
        with self._suite.lock:
            self._suite.say(str(self))

    def made(self, steps: int, now: bool) -> None:
        """Notes steps; those of the first call are not timed, for they may compile."""
        with self._suite.lock:
            self._step += steps
            moment = time.monotonic()
            if now and self._last is not None:
                guessed = self._cost.guess * steps / self._cost.steps
                self._suite.timed(moment - self._last, guessed)
            self._last = moment if now else None
            self._suite.report(self)
        if self._step >= self._cost.steps and self._evaluating is None:
            what = f"evaluating {self._recipe}, seed {self._seed}"
            self._evaluating = self._suite.waiting(what).__enter__()

    def finished(self, states: list[str], unmade_steps: int) -> None:
        """Notes that it is finished."""
        self.close()
        with self._suite.lock:
            self._step = self._cost.steps
            self._suite.count += 1

    def close(self) -> None:
        """Says no more of an evaluation."""
        if self._evaluating is not None:
            self._evaluating.__exit__(None, None, None)
            self._evaluating = None

    def came_to(self, what: str) -> None:
        """Says what it came to, and what is left."""
        with self._suite.lock:
            where = f"row {self._place} of {self._suite.rows}, {self._recipe}, seed {self._seed}"
            left = self._suite.left_in_words()
            done = f"{self._suite.count} of {self._suite.total} seeds done"
            self._suite.say(f"{where}: {what}; {done}{left and f', {left}'}")
