"""Real processes on this machine: the same run, and what happens when one is lost."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_directory import read_json
from tests.data import files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("time")]
CONFIG = """
from tests import configs
def get_config():
    from ml_collections import ConfigDict
    config = ConfigDict(configs.quick({overrides!r}))
    return config.lock()
"""
STEPS = 40


def command(tmp_path: Path, workdir: Path, processes: int, **overrides: Any) -> list[str]:
    base = {
        "train.batch_size": 8,
        "parallel.devices": None,
        "precision.compute": "float64",
        "train.chunk_steps": 5,
    }
    file = tmp_path / f"config_{workdir.name}.py"
    file.write_text(CONFIG.format(overrides=base | overrides))
    train = [sys.executable, "-m", "experiments.train", f"--config={file}", f"--workdir={workdir}"]
    launch = [sys.executable, "-m", "experiments.launch.local", f"--processes={processes}"]
    return [
        *launch,
        f"--devices_per_process={8 // processes}",
        "--heartbeat_seconds=10",
        "--",
        *train,
    ]


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_PLATFORMS")}


def run(root: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, cwd=root, env=environment(), timeout=200
    )


def losses(workdir: Path) -> list[float]:
    return [
        line["loss"] for line in read_metrics(workdir / "metrics.jsonl") if line["kind"] == "train"
    ]


def largest_difference(one: Path, other: Path, steps: int) -> float:
    pairs = list(zip(losses(one)[:steps], losses(other)[:steps], strict=True))
    assert len(pairs) == steps
    return max(abs(a - b) / a for a, b in pairs)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("one")
    done = run(Path(__file__).parents[2], command(tmp_path, tmp_path / "run", 1))
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path / "run"


@pytest.mark.parametrize(("processes", "mode"), [(2, "pmap"), (4, "jit")])
def test_processes_are_one_run(
    processes: int, mode: str, one_process: Path, root: Path, tmp_path: Path
) -> None:
    words = command(tmp_path, tmp_path / "run", processes, **{"parallel.mode": mode})
    done = run(root, words)
    assert done.returncode == 0, done.stdout + done.stderr
    difference = largest_difference(one_process, tmp_path / "run", 20)
    print(f"{processes} processes, {mode}: largest relative difference {difference:.1e}")
    assert difference < 1e-9
    one, other = (read_json(d / "result.json") for d in (one_process, tmp_path / "run"))
    assert other["n"] == 17 and other["top1_error"] == one["top1_error"]
    assert done.stdout.count("everything lies in") == 1, "one process speaks for all"


def test_processes_begin_with_the_same_parameters(
    one_process: Path, root: Path, tmp_path: Path
) -> None:
    source = {"init_from.workdir": str(one_process), "train.epochs": 0.8}
    for processes in (1, 2):
        words = command(
            tmp_path,
            tmp_path / f"run{processes}",
            processes,
            **source | {"schedule.warmup_epochs": 0.0, "init_from.layers": "fc1, logits"},
        )
        done = run(root, words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "taken: 4 arrays (fc1, logits)" in done.stdout
    assert largest_difference(tmp_path / "run1", tmp_path / "run2", 5) < 1e-9
    begun = [read_json(tmp_path / f"run{n}" / "warm_start.json") for n in (1, 2)]
    assert begun[0] == begun[1] and losses(tmp_path / "run2")[0] != losses(one_process)[0]


def test_processes_agree_in_float32(root: Path, tmp_path: Path) -> None:
    short = {"precision.compute": "float32", "train.epochs": 0.8, "schedule.warmup_epochs": 0.0}
    for processes in (1, 2, 4):
        done = run(root, command(tmp_path, tmp_path / f"run{processes}", processes, **short))
        assert done.returncode == 0, done.stdout + done.stderr
    for processes in (2, 4):
        difference = largest_difference(tmp_path / "run1", tmp_path / f"run{processes}", 5)
        print(f"{processes} processes, float32: largest relative difference {difference:.1e}")
        assert difference < 1e-5


def started(root: Path, words: list[str], workdir: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        words,
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 100
    while len(read_metrics(workdir / "metrics.jsonl")) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return process


def child(launcher: subprocess.Popen[str], process_id: int) -> int:
    """Returns the process number of one member of the run."""
    found = subprocess.run(
        ["ps", "-ww", "--ppid", str(launcher.pid), "-o", "pid=,args="],
        capture_output=True,
        text=True,
    ).stdout
    (line,) = [x for x in found.splitlines() if f"process_id={process_id}" in x]
    return int(line.split()[0])


def goes_on(root: Path, words: list[str]) -> str:
    """Returns what a command says that trains on, until its first step; it is stopped then."""
    again = subprocess.Popen(
        words,
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert again.stdout is not None
    # The log of the first start is there already: what is said tells that the second one trains.
    said = ""
    while "first step after" not in said and (line := again.stdout.readline()):
        said += line
    again.send_signal(signal.SIGTERM)
    said += again.communicate(timeout=60)[0]
    assert again.returncode == 75, said
    return said


LONG = {"train.epochs": 3200.0, "schedule.name": "constant", "schedule.kwargs": {}}


def test_sigterm_to_one_stops_all_and_fewer_processes_continue(root: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    words = command(tmp_path, workdir, 2, **LONG)
    launcher = started(root, words, workdir)
    os.kill(child(launcher, 1), signal.SIGTERM)
    out, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == 75, out
    saved = int(re.findall(r"preempted: step (\d+) is saved", out)[0])
    single = command(tmp_path, workdir, 1, **(LONG | {"train.epochs": 3200.0}))
    single[single.index("--processes=1") + 1] = "--devices_per_process=1"
    assert f"resuming at step {saved}" in goes_on(root, single)


def test_two_processes_continue_what_two_began(root: Path, tmp_path: Path) -> None:
    words = command(tmp_path, tmp_path / "run", 2, **LONG)
    launcher = started(root, words, tmp_path / "run")
    launcher.send_signal(signal.SIGTERM)
    out, _ = launcher.communicate(timeout=60)
    assert launcher.returncode == 75, out
    saved = int(re.findall(r"preempted: step (\d+) is saved", out)[0])
    assert f"resuming at step {saved}" in goes_on(root, words)
    assert not (tmp_path / "run" / "damaged_checkpoints").exists()


REASON = {
    0: "process 0 was lost: nobody listens at localhost:",
    1: "process 1 was not heard of for 10 s (config.distributed.heartbeat_seconds): it was killed",
}


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_is_named_and_ends_the_others(lost: int, root: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    launcher = started(root, command(tmp_path, workdir, 2, **LONG), workdir)
    os.kill(child(launcher, lost), signal.SIGKILL)
    began = time.monotonic()
    out, _ = launcher.communicate(timeout=60)
    assert time.monotonic() - began < 40  # heartbeat 10 s + 30 s
    assert launcher.returncode == 1
    assert f"process {lost} was lost: killed by SIGKILL" in out
    assert f"[{1 - lost}] error: {REASON[lost]}" in out, out
    assert "the same command goes on" in out and f"process {1 - lost} was lost" not in out
    assert json.loads((workdir / "config.json").read_text())


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_process_that_was_stopped_ends_all_and_the_command_goes_on(
    stopped: int, root: Path, tmp_path: Path
) -> None:
    workdir = tmp_path / "run"
    words = command(tmp_path, workdir, 2, **LONG)
    launcher = started(root, words, workdir)
    number = child(launcher, stopped)
    os.kill(number, signal.SIGSTOP)
    time.sleep(14)
    os.kill(number, signal.SIGCONT)
    out, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1, out
    assert f"[{1 - stopped}] error: process {stopped} was not heard of for 10 s" in out
    assert re.search(rf"\[{stopped}\] error: process {stopped} was stopped for 1\d s, longer", out)
    assert "Check failure" not in out.partition(f"[{stopped}] error: process")[0], out
    assert "resuming at step" in goes_on(root, words)


def test_a_coordinator_that_does_not_come_is_named(root: Path) -> None:
    words = [
        *(sys.executable, "-m", "experiments.train", "--config=configs/digits/linear.py"),
        "--config.distributed.coordinator=localhost:9",
        "--config.distributed.processes=2",
        "--config.distributed.process_id=1",
        "--config.distributed.timeout_seconds=2",
    ]
    done = run(root, words)
    assert done.returncode == 2
    assert "process 1 waited 2 s for process 0 at localhost:9: nobody listens there" in done.stderr


def by_hand(
    root: Path,
    tmp_path: Path,
    own: list[list[str]],
    limits: dict[int, int] | None = None,
    roots: dict[int, Path] | None = None,
    keys: dict[str, Any] | None = None,
) -> list[tuple[int, str]]:
    """Returns exit code and output of processes that are started one by one.

    Args:
        root: of the repository.
        tmp_path: for the run.
        own: of each process, its flags.
        limits: process -> the longest file that it may write, in blocks.
        roots: process -> where its code lies, in place of `root`.
        keys: of the config; they stand in for those of the run.
    """
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "config.py"
    shared = {"train.batch_size": 8, "parallel.devices": None, "parallel.shard_parameters": True}
    network = {"model.kwargs.layers": (640,)} if keys is None else keys
    file.write_text(CONFIG.format(overrides=shared | network))
    environment_of = environment() | {"JAX_PLATFORMS": "cpu"}
    processes = []
    for i, flags in enumerate(own):
        longest = (limits or {}).get(i, "unlimited")
        words = [
            *("sh", "-c", f'ulimit -f {longest}; exec "$0" "$@"'),
            *(sys.executable, "-m", "experiments.train", f"--config={file}"),
            f"--config.distributed.coordinator=localhost:{port}",
            f"--config.distributed.processes={len(own)}",
            f"--config.distributed.process_id={i}",
            *flags,
        ]
        started = subprocess.Popen(
            words,
            cwd=(roots or {}).get(i, root),
            env=environment_of,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(started)
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    return [(p.returncode, out) for p, out in zip(processes, outputs, strict=True)]


def test_hosts_that_disagree_train_nothing(root: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    own = [
        [f"--workdir={workdir}", "--config.seed.data=1", "--config.data.workers=1"],
        [
            *(f"--workdir={workdir}", "--config.seed.data=2", "--config.optim.learning_rate=0.3"),
            *("--config.model.kwargs.dropout_rate=0.4", "--config.evaluation.every_epochs=2.0"),
        ],
    ]
    for code, out in by_hand(root, tmp_path, own):
        assert code == 2, out
        assert "config.seed.data: 1 on process 0; 2 on process 1" in out
        assert "config.optim.learning_rate: 0.02 on process 0; 0.3 on process 1" in out
        assert "config.model.kwargs.dropout_rate: 0.3 on process 0; 0.4 on process 1" in out
        assert "config.evaluation.every_epochs: 1.6 on process 0; 2.0 on process 1" in out
        assert "data.workers" not in out and "Check failure" not in out
    assert not workdir.exists()


def test_another_network_on_a_host_trains_nothing(root: Path, tmp_path: Path) -> None:
    own = [[f"--workdir={tmp_path / 'run'}"]] * 2
    for code, out in by_hand(root, tmp_path, [own[0], [*own[1], "--config.model.name=linear"]]):
        assert code == 2, out
        assert "config.model.name: 'mlp' on process 0; 'linear' on process 1" in out
    assert not (tmp_path / "run").exists()


def test_one_image_fewer_on_a_host_trains_nothing(root: Path, tmp_path: Path) -> None:
    here, there = (tmp_path / name / "data" for name in ("here", "there"))
    files.folder(here)
    shutil.copytree(here, there)
    next((there / "train" / "kind_1").iterdir()).unlink()
    keys = {
        **{"data.source": "folder", "data.kwargs": {}, "data.directory": str(here)},
        **{"data.validation_folds": 5, "data.normalisation": "unit", "data.workers": 0},
        **{"train_crop.name": "random_resized", "train_crop.kwargs": {"size": 16}},
        **{"test_crop.name": "shorter_side", "test_crop.kwargs": {"size": 16, "shorter_side": 18}},
    }
    own = [[f"--workdir={tmp_path / 'run'}", f"--config.data.directory={d}"] for d in (here, there)]
    for code, out in by_hand(root, tmp_path, own, keys=keys):
        assert code == 2, out
        assert "examples.train: 24 on process 0; 23 on process 1" in out
    assert not (tmp_path / "run").exists()


def test_other_code_on_a_host_trains_nothing(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for name in ("cnn_jax", "experiments", "tests"):
        shutil.copytree(root / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "cnn_jax" / "models" / "mlp.py").open("a") as changed:
        changed.write("# another version\n")
    own = [[f"--workdir={tmp_path / 'run'}"]] * 2
    for code, out in by_hand(root, tmp_path, own, roots={1: other}):
        assert code == 2, out
        assert "SHA-256 of the code of cnn_jax: " in out
    assert not (tmp_path / "run").exists()


def test_a_number_that_is_given_twice_is_named_by_all(root: Path, tmp_path: Path) -> None:
    own = [[f"--workdir={tmp_path / 'run'}"] for _ in range(3)]
    own[2].append("--config.distributed.process_id=1")
    for code, out in by_hand(root, tmp_path, own, keys={"train.batch_size": 6}):
        assert code == 2, out
        assert "config.distributed.process_id = 1 was given twice" in out
    assert not (tmp_path / "run").exists()


def test_hosts_that_share_no_directory_train_nothing(root: Path, tmp_path: Path) -> None:
    own = [[f"--workdir={tmp_path / name}"] for name in ("a", "b")]
    for code, out in by_hand(root, tmp_path, own):
        assert code == 2, out
        assert f"is not seen by process 1 in {tmp_path / 'b'}" in out
    assert not (tmp_path / "a" / "config.json").exists()


def test_a_save_that_fails_on_one_ends_all(root: Path, tmp_path: Path) -> None:
    """Process 1 may write no file of its part of the parameters: all say so, within seconds."""
    own = [[f"--workdir={tmp_path / 'run'}"]] * 2
    began = time.monotonic()
    for code, out in by_hand(root, tmp_path, own, {1: 1}):
        assert code == 2, out
        assert re.search(r"checkpoints cannot be written: File too large; [0-9,]+ bytes are n", out)
    assert time.monotonic() - began < 60
