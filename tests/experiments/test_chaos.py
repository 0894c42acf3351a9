"""The short form of `experiments/chaos.py`, and what it counts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from cnn_jax import files
from cnn_jax.ablation.factors import members_of
from cnn_jax.ablation.search import check
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import Search
from cnn_jax.diagnostics import killed_at
from cnn_jax.diagnostics.chaos import CLOCK, Chaos, report, table, without_clock
from cnn_jax.diagnostics.chaos_kinds import KINDS
from experiments import command_line


@pytest.mark.slow
@pytest.mark.xdist_group("time")
@pytest.mark.parametrize("kind", ["train", "ablate"])
def test_kills_do_not_change_the_run(kind: str, root: Path, tmp_path: Path) -> None:
    steps = 5000 if kind == "train" else 1600
    command = [sys.executable, "-m", "experiments.chaos", f"--kind={kind}", "--kills=3"]
    command += ["--longest=5", f"--steps={steps}", f"--workdir={tmp_path / 'chaos'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=400)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind}: the same run after " in done.stdout
    assert "result.json before: 1" in done.stdout or "ablation.json before: 1" in done.stdout


def test_what_the_clock_decides_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    for name, seconds, loss in (("a", 1.0, 0.5), ("b", 2.0, 0.5), ("c", 1.0, 0.25)):
        tree = dict.fromkeys(CLOCK, seconds) | {"loss": loss}
        (tmp_path / f"{name}.json").write_text(json.dumps(tree))
    contents = [without_clock(tmp_path / f"{name}.json") for name in "abc"]
    assert contents[0] == contents[1] != contents[2]
    (tmp_path / "a.csv").write_text("seconds\n1\n")
    assert without_clock(tmp_path / "a.csv") == b"seconds\n1\n"


def test_the_table_shows_what_every_run_has_shown(tmp_path: Path) -> None:
    for kind in ("train", "two"):
        chaos = Chaos(kind=kind, kills=3, seconds=61.4)
        chaos.signals.update({"SIGKILL": 2, "SIGHUP to the launcher": 1})
        chaos.different += ["result.json"] if kind == "two" else []
        (tmp_path / kind).mkdir()
        report(chaos, tmp_path / kind / "chaos.json", say=lambda text: None)
        assert chaos.passed == (kind == "train")
    lines = table([tmp_path / "train", tmp_path / "two"]).splitlines()
    assert lines[0] == "|  | train | two |"
    assert "| kills | 3 | 3 |" in lines and "| different | nothing | result.json |" in lines
    assert any(
        line.startswith("| signals | SIGKILL: 2, SIGHUP to the launcher: 1 |") for line in lines
    )
    with pytest.raises(InputError, match="holds no chaos.json"):
        table([tmp_path])


def test_rounds_of_one_kind_are_added_up(tmp_path: Path) -> None:
    for number, (kills, wait) in enumerate([(3, 2.5), (4, 1.0)]):
        chaos = Chaos(kind="train", kills=kills, longest_wait=wait, lost=number)
        chaos.codes.update({"-9": kills, "75": number})
        (tmp_path / str(number)).mkdir()
        report(chaos, tmp_path / str(number) / "chaos.json", say=lambda text: None)
    lines = table([tmp_path / "0", tmp_path / "1"]).splitlines()
    assert lines[0] == "|  | train |"
    for row in ("kills | 7", "longest wait | 2.5 s", "codes | -9: 7, 75: 1", "lost | 1"):
        assert f"| {row} |" in lines


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_command(kind: str, tmp_path: Path) -> None:
    command = KINDS[kind].command(tmp_path / "run", 100, ("before", "digests.json"))
    assert f"--workdir={tmp_path / 'run'}" in command and "digests.json" in command
    assert ("experiments.launch.local" in command) == (kind == "two")


@pytest.mark.parametrize("moment", killed_at.MOMENTS)
def test_a_write_is_ended_where_it_was_asked(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(files, "replace", files.replace)  # given back at the end
    monkeypatch.setattr(
        killed_at, "end", lambda: seen.append(sorted(p.name for p in tmp_path.iterdir()))
    )
    killed_at.arm(moment, "*.json")
    files.write_text(tmp_path / "other.txt", "")
    assert not seen
    if moment == "full":
        with pytest.raises(InputError, match="No space left on device"):
            files.write_json(tmp_path / "a.json", {})
        return
    files.write_json(tmp_path / "a.json", {})
    waiting = [".a.json.new"] if moment == "before" else ["a.json"]
    assert seen == [[*waiting, "other.txt"]]


@pytest.mark.parametrize(("kind", "plan"), [("ablate", Ablation), ("search", Search)])
def test_the_plans_are_plans(kind: str, plan: type, tmp_path: Path) -> None:
    (config,) = KINDS[kind].flags(tmp_path, 1600)
    _, made = command_line.parse_plan([kind, config], "", plan, flags.FlagValues())
    assert not made.problems()
    if kind == "search":
        check(made)
    else:
        members_of(made)


def test_the_runs_are_runs(tmp_path: Path) -> None:
    for kind in ("train", "two", "streamed"):
        config = KINDS[kind].flags(tmp_path, 100)
        command_line.parse_config([kind, *config], "", flags.FlagValues())
