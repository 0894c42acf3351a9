"""Timing in alternating bursts, on a machine that is never quite one's own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

FOREIGN_LIMIT = 0.1  # cores that others may use during a round before it is dropped
FEWEST = 3  # undisturbed rounds from which a median is taken
STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Attributes:
        name: for the report.
        run: makes that many steps and returns when they are done.
        images: in a step.
    """

    name: str
    run: Callable[[int], None]
    images: int


@dataclass(frozen=True)
class Timings:
    """Seconds a step of every contender, round by round.

    Attributes:
        seconds: contender -> seconds a step, one number a round.
        kept: the rounds that others left alone; all of them where they cannot be told apart, or
            where fewer than three would remain.
        foreign: cores that others used, one number a round; empty where it is not known.
    """

    seconds: dict[str, list[float]]
    kept: list[int]
    foreign: list[float]

    @property
    def disturbed(self) -> bool:
        """Whether rounds had to be kept although others were at work."""
        return any(self.foreign[i] > FOREIGN_LIMIT for i in self.kept if self.foreign)

    def median(self, name: str) -> float:
        """Returns the median seconds a step over the rounds that are kept."""
        return median(self.seconds[name][i] for i in self.kept)

    def ratio(self, name: str, against: str) -> tuple[float, float, float]:
        """Returns median, lowest and highest of how many times as fast as `against` it was."""
        ours, theirs = self.seconds[name], self.seconds[against]
        ratios = [theirs[i] / ours[i] for i in self.kept]
        return median(ratios), min(ratios), max(ratios)


def alternate(contenders: list[Contender], rounds: int, seconds: float) -> Timings:
    """Times contenders in turn, so that what disturbs one disturbs the others.

    Args:
        contenders: warmed up: whatever has to be compiled is compiled.
        rounds: how often each gets its turn.
        seconds: of one turn, about.
    """
    steps = {c.name: _steps(c, seconds) for c in contenders}
    taken: dict[str, list[float]] = {c.name: [] for c in contenders}
    foreign = []
    for i in range(rounds):
        before = _Load.now()
        # Every second round backwards: nobody always runs after the same neighbour.
        for contender in contenders if i % 2 == 0 else contenders[::-1]:
            began = time.perf_counter()
            contender.run(steps[contender.name])
            taken[contender.name].append((time.perf_counter() - began) / steps[contender.name])
        if before is not None:
            foreign.append(before.foreign_since())
    quiet = [i for i, load in enumerate(foreign) if load <= FOREIGN_LIMIT]
    kept = quiet if len(quiet) >= min(FEWEST, rounds) else list(range(rounds))
    return Timings(taken, kept, foreign)


def _steps(contender: Contender, seconds: float) -> int:
    """Returns how many steps fill a burst; also the warm-up of caches and thread pools."""
    steps = 1
    while True:
        began = time.perf_counter()
        contender.run(steps)
        took = time.perf_counter() - began
        if took > seconds / 4:
            return max(1, round(steps * seconds / took))
        steps *= 2


@dataclass(frozen=True)
class _Load:
    """Processor seconds used so far, by this process and by the whole machine."""

    wall: float
    machine: float
    own: float

    @classmethod
    def now(cls) -> _Load | None:
        if not STAT.exists():
            return None
        user, nice, system, _, _, irq, softirq, steal, *_ = map(
            int, STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        )
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        own = os.times()
        return cls(time.perf_counter(), busy, own.user + own.system)

    def foreign_since(self) -> float:
        now = _Load.now()
        assert now is not None
        others = (now.machine - self.machine) - (now.own - self.own)
        return max(0.0, others / (now.wall - self.wall))
