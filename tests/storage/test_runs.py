"""Runs are listed, shown and pruned by what their files say; one that trains is never touched."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.storage.checkpoint_digest import seal
from cnn_jax.storage.pruning import prunable, prune
from cnn_jax.storage.run_directory import RunDirectory
from cnn_jax.storage.run_report import in_bytes, listed, shown, sorted_by
from cnn_jax.storage.run_summary import config_file_of, is_running, runs_below, summary_of
from tests import configs
from tests.binaries import run as binary

COMMAND = ["/usr/bin/python", "-m", "experiments.train", "--config=configs/smoke.py"]


def make_run(path: Path, errors: dict[int, float], result: dict[str, Any] | None = None) -> Path:
    """Writes what a run leaves: a log, a checkpoint for each error, and a result."""
    tree = to_tree(configs.quick())
    with closing(RunDirectory(path)) as directory:
        about = {"config": tree, "config_hash": config_hash(tree), "command": COMMAND}
        directory.write("config.json", about)
        if result is not None:
            directory.write("result.json", result)
    lines = []
    for step, error in errors.items():
        line = {"step": step, "epoch": step / 10, "top1_error": error}
        lines += [{"kind": "validation"} | line, {"kind": "train"} | line]
        metrics = path / "checkpoints" / str(step) / "metrics"
        metrics.mkdir(parents=True)
        (metrics / "metrics").write_text(json.dumps({"top1_error": error}))
        (metrics.parent / "state").write_bytes(b"x" * 1000)
        seal(metrics.parent)
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path / "a", {10: 0.5, 20: 0.1, 30: 0.2}, {"top1_error": 0.25, "step": 30})
    make_run(tmp_path / "deep" / "b", {10: 0.5, 20: 0.3})
    make_run(tmp_path / "c", {10: 0.5})
    (tmp_path / "c" / "config.json").write_text("{")
    (tmp_path / "other").mkdir()
    return tmp_path


def test_every_state_is_told(runs: Path) -> None:
    with closing(RunDirectory(runs / "deep" / "b")):
        found = {run.path.name: run for run in runs_below(runs)}
        assert {name: run.state for name, run in found.items()} == {
            "a": "finished",
            "b": "running",
            "c": "damaged",
        }
    assert not is_running(runs / "deep" / "b")
    assert summary_of(runs / "deep" / "b").state == "interrupted"
    run = found["a"]
    assert (run.config_file, run.step, run.epoch) == ("configs/smoke.py", 30, 3.0)
    assert (run.validation_error, run.test_error) == (0.2, 0.25)
    assert run.network == "mlp" and run.bytes > 3000 and run.changed > 0
    text = listed(list(found.values()), runs)
    assert "deep/b" in text and "config.json is damaged" in text and "20.00" in text
    assert "data.source" in shown(run) and "checkpoints: 10, 20, 30" in shown(run)
    assert "is damaged" in shown(found["c"])


def test_a_cut_log_and_no_log(runs: Path) -> None:
    log = runs / "a" / "metrics.jsonl"
    log.write_text(log.read_text() + '{"kind": "validat')
    assert summary_of(runs / "a").step == 30
    log.unlink()
    assert summary_of(runs / "a").step is None and "finished" in listed(runs_below(runs), runs)


def test_the_order_of_a_list(runs: Path) -> None:
    found = runs_below(runs)
    assert sorted_by(found, "test")[0].path.name == "a"
    assert [run.path.name for run in sorted_by(found, "validation")][:2] == ["a", "b"]
    assert [run.path.name for run in sorted_by(found, "name")] == ["a", "c", "b"]
    assert sorted_by(found, "size")[0].path.name == "a"


def test_pruning_keeps_the_last_and_the_best(runs: Path) -> None:
    plan = prunable(runs_below(runs))
    (of_a,) = [deletion for deletion in plan if deletion.run.name == "a"]
    assert of_a.steps == (10,) and of_a.kept == (20, 30) and of_a.bytes > 1000
    before = sorted(runs.rglob("*"))
    assert sorted(runs.rglob("*")) == before, "a plan deletes nothing"
    assert prune(plan, pytest.fail) == sum(deletion.bytes for deletion in plan)
    steps = {p.parent.parent.name: p for p in runs.rglob("checkpoints/10")}
    assert "a" not in steps and "b" not in steps and "c" in steps, "a damaged run stays"
    assert prunable(runs_below(runs))[-1].steps == () and (runs / "a/checkpoints/20").is_dir()


def test_equally_good_checkpoints_stay(tmp_path: Path) -> None:
    make_run(tmp_path / "a", {10: 0.1, 20: 0.1, 30: 0.2, 40: 0.3})
    assert [deletion.steps for deletion in prunable(runs_below(tmp_path))] == [(30,)]


def test_a_run_that_trains_and_a_damaged_last_checkpoint_are_left_alone(runs: Path) -> None:
    said: list[str] = []
    plan = prunable(runs_below(runs))
    (runs / "a/checkpoints/30/state").write_bytes(b"y")
    with closing(RunDirectory(runs / "deep" / "b")):
        assert "somebody trains in it" in prunable(runs_below(runs))[-1].left
        assert prune(plan, said.append) == 0
    assert (runs / "a/checkpoints/10").is_dir() and (runs / "deep/b/checkpoints/10").is_dir()
    assert len(said) == 2 and "damaged" in said[0] and "another process" in said[1]


def test_an_unfinished_run_goes_as_a_whole_unless_somebody_left_something(runs: Path) -> None:
    shutil.copytree(runs / "deep" / "b", runs / "mine")
    (runs / "mine" / "thesis.tex").write_text("years")
    plan = {deletion.run.name: deletion for deletion in prunable(runs_below(runs), unfinished=True)}
    assert "thesis.tex" in plan["mine"].left and plan["b"].steps == () and not plan["b"].left
    prune(plan.values(), pytest.fail)
    assert (runs / "mine/thesis.tex").is_file() and not (runs / "deep/b").exists()
    assert (runs / "a").is_dir() and (runs / "c").is_dir()


def test_the_binary(runs: Path) -> None:
    done = binary("runs", "list", str(runs), "--json", "--state=finished")
    (tree,) = json.loads(done.stdout)
    assert tree["test_error"] == 0.25 and tree["path"] == str(runs / "a")
    assert "finished" in binary("runs", "show", str(runs / "a")).stdout
    assert "--yes deletes it" in binary("runs", "prune", str(runs)).stdout
    assert (runs / "a/checkpoints/10").is_dir()
    assert "freed" in binary("runs", "prune", str(runs), "--yes").stdout
    assert not (runs / "a/checkpoints/10").exists()
    assert binary("runs", "list", str(runs / "nowhere")).returncode == 2
    assert "no run directory" in binary("runs", "show", str(runs / "other")).stderr
    assert "did you mean 'list'" in binary("runs", "lst").stderr


def test_config_files_and_sizes() -> None:
    assert config_file_of(["x", "--config", "a.py:b", "--config.x=3"]) == "a.py:b"
    assert config_file_of(["x", "--config.x=3"]) == config_file_of(None) == ""
    assert in_bytes(12_345_678) == "12.3 MB"
    with pytest.raises(InputError, match="no run directory"):
        summary_of(Path("configs"))
