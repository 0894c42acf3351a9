"""Ablations and searches as several real processes: the numbers of one, and one that is lost."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.files import read_json
from tests.devices.test_distributed import LONG, REASON, child, command, goes_on, started
from tests.devices.test_joined import SHORT, binary, done

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("time")]
RATE = "optim.learning_rate"
ABLATION = """
    plan = schema.base_ablation()
    plan.factors = {"init": {"he": {}, "small": {"model.kwargs.kernel_init": "gaussian(std=0.1)"}}}
    plan.seeds = 1
"""
SEARCH = """
    plan = schema.base_search()
    plan.ranges = {"optim.learning_rate": schema.LogUniform(1e-3, 1e-1)}
    plan.stages = (schema.Stage(2, 0.8, 1), schema.Stage(1, 0.8, 1))
    plan.halving = 2
"""


def planned(
    name: str, plan: str, tmp_path: Path, workdir: Path, processes: int, **overrides: Any
) -> list[str]:
    """Returns the command of a plan over the base of `command`."""
    words = binary(name, command(tmp_path, workdir, processes, **overrides))
    file = tmp_path / f"config_{workdir.name}.py"
    text = file.read_text().replace("def get_config", "def base")
    head = "from cnn_jax.config import schema\n"
    file.write_text(
        f"{head}{text}\ndef get_config():{plan}    plan.base = base()\n    return plan\n"
    )
    return words


def close(one: Any, other: Any) -> bool:
    """Whether all counts are equal, and all other numbers to 1e-9."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float):
        return bool(other == pytest.approx(one, rel=1e-9))
    return bool(one == other)


def test_an_ablation_is_that_of_one_process(root: Path, tmp_path: Path) -> None:
    members = []
    for count in (1, 2):
        workdir = tmp_path / f"run{count}"
        words = planned("ablate", ABLATION, tmp_path, workdir, count, **SHORT)
        said = done(root, [*words, "--strategy=runs"] if count == 1 else words)
        assert said.count("member 2 of 2") == said.count("everything lies in") == 1, said
        members.append(read_json(workdir / "ablation.json")["members"])
        assert read_json(workdir / "signals.json")
    one, two = members
    assert [member["final"]["n"] for member in two] == [17, 17]
    assert all(len(member["curve"]["train_data_loss"]) == 5 for member in two)
    assert close(one, two), json.dumps(members)


def test_a_search_is_that_of_one_process(root: Path, tmp_path: Path) -> None:
    records = []
    for count in (1, 2):
        workdir = tmp_path / f"run{count}"
        often = {"evaluation.every_epochs": 0.32}  # two of five steps
        words = planned("search", SEARCH, tmp_path, workdir, count, **SHORT | often)
        said = done(root, [*words, "--strategy=runs"] if count == 1 else words)
        assert said.count("every trial is in") == said.count("1 of 2 trials go on") == 1, said
        found = read_json(workdir / "search.json")
        records.append([found["stages_run"], found["test_of_best"]])
    one, two = records
    assert len(two[0]) == 2 and two[0][0]["trials"][0]["values"][RATE] > 0
    assert sorted(trial["state"] for trial in two[0][0]["trials"]) == ["done", "stopped"]
    assert close(one, two), json.dumps(records)


def test_an_ablation_whose_second_process_is_killed_goes_on(root: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    words = planned("ablate", ABLATION, tmp_path, workdir, 2, **LONG)
    launcher = started(root, words, workdir / "population" / "member-0")
    os.kill(child(launcher, 1), signal.SIGKILL)
    began = time.monotonic()
    out, _ = launcher.communicate(timeout=60)
    assert time.monotonic() - began < 40  # heartbeat 10 s + 30 s
    assert launcher.returncode == 1, out
    assert f"[0] error: {REASON[1]}" in out and "the same command goes on" in out, out
    said = goes_on(root, words)
    assert "member 1 of 2" in said and "resuming at step" in said
