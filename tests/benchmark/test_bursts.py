"""Timing in bursts: which rounds count, and what the ratio is."""

import itertools
from typing import Any

import pytest

from cnn_jax.benchmark import bursts
from cnn_jax.benchmark.bursts import Contender, Timings, alternate


def timings(foreign: list[float]) -> Timings:
    kept = [i for i, load in enumerate(foreign) if load <= bursts.FOREIGN_LIMIT]
    return Timings({"ours": [2.0, 1.0, 4.0], "theirs": [4.0, 3.0, 4.0]}, kept, foreign)


def test_ratio_is_a_median_of_rounds_with_its_range() -> None:
    assert timings([0, 0, 0]).ratio("ours", "theirs") == (2.0, 1.0, 3.0)


def test_disturbed_rounds_do_not_count() -> None:
    assert timings([0, 0, 1.5]).ratio("ours", "theirs") == (2.5, 2.0, 3.0)
    assert not timings([0, 0, 1.5]).disturbed


def test_everybody_takes_turns_and_a_burst_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    order: list[str] = []
    monkeypatch.setattr(bursts.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(bursts, "STAT", bursts.Path("/no/such/file"))

    def contender(name: str) -> Contender:
        def run(steps: int) -> None:
            order.append(name)
            for _ in range(steps):
                next(clock)

        return Contender(name, run, 1)

    found = alternate([contender("a"), contender("b")], rounds=3, seconds=40)
    assert order[-6:] == ["a", "b", "b", "a", "a", "b"]
    assert found.kept == [0, 1, 2] and found.foreign == [] and not found.disturbed
    assert found.median("a") == pytest.approx(1.0, rel=0.1)


def test_too_few_quiet_rounds_are_all_kept_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    load = type("Load", (), {"foreign_since": lambda self: 0.9})
    monkeypatch.setattr(bursts._Load, "now", classmethod(lambda cls: load()))
    nothing: Any = lambda steps: None
    monkeypatch.setattr(bursts, "_steps", lambda contender, seconds: 1)
    found = alternate([Contender("a", nothing, 1)], rounds=4, seconds=0.0)
    assert found.kept == [0, 1, 2, 3] and found.disturbed
