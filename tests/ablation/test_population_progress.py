"""What is said while a population trains."""

import math

import pytest

from cnn_jax.ablation import population_progress
from cnn_jax.ablation.population_progress import PopulationProgress


def test_lines_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = [0.0], list[str]()
    monkeypatch.setattr(population_progress.time, "monotonic", lambda: clock[0])
    progress = PopulationProgress(10, 2, 800, said.append)
    progress.began("group 1/2 wave 3")
    progress.made(40, False)
    progress.made(10, True)
    assert math.isnan(progress._seconds_left()), "the first steps compile"
    clock[0] = 10.0
    progress.made(50, True)
    assert said == ["members 2/10  group 1/2 wave 3  ETA 0:02:20"], "700 steps at 5 a second"
    progress.finished(["diverged", "done"], unmade_steps=50)
    clock[0] = 20.0
    progress.made(100, True)
    assert said[1:] == ["members 4/10  1 diverged  group 1/2 wave 3  ETA 0:01:13"]
    progress.close()
