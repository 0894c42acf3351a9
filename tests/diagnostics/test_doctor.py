"""Every fault that can be planted on one machine is named; a sound machine passes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from ml_collections import ConfigDict

from cnn_jax.config.problems import InputError
from cnn_jax.devices.parallel import Devices
from cnn_jax.diagnostics.doctor import accelerators, all_reduce, disks, meeting
from cnn_jax.diagnostics.doctor.all_reduce import Summed
from cnn_jax.diagnostics.doctor.finding import Finding, merged, table
from cnn_jax.diagnostics.levels import FAIL, OK, WARN, worst
from tests.binaries import run

CHECKS = ("processes", "versions", "config", "devices", "accelerator", "data", "workdir", "memory")
CHECKS += ("disk", "signals", "clocks", "all-reduce")
SMOKE = f"--config={Path(__file__).parents[2] / 'configs' / 'smoke.py'}"


def line_of(check: str, output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.split()[1:2] == [check]]
    return line


def test_a_sound_machine_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    done = run("doctor", SMOKE, f"--workdir={tmp_path / 'some' / 'run'}")
    assert done.returncode == 0, done.stdout
    lines = [line.split()[:2] for line in done.stdout.splitlines()]
    assert lines == [["ok", check] for check in CHECKS]
    assert not list(tmp_path.iterdir())


def test_it_needs_no_config(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path)
    assert done.returncode == 0 and "runs/configs-smoke" in line_of("workdir", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "check", "said"),
    [
        (("--lead_seconds=15",), "signals", "-> launch with --lead_seconds=3"),
        (("--config.checkpoint.grace_seconds=500", "--lead_seconds=120"), "signals", "up to 500 s"),
        (("--config.train.batch_size=12",), "devices", "= 12 does not divide over 8 devices"),
        (("--config.parallel.devices=99",), "devices", "config.parallel.devices = 99: there are 8"),
        (
            ("--config.data.source=folder", "--config.data.directory=no-such-place"),
            "data",
            "no-such-place",
        ),
    ],
)
def test_what_a_config_asks_in_vain(
    arguments: tuple[str, ...], check: str, said: str, tmp_path: Path
) -> None:
    done = run("doctor", SMOKE, f"--workdir={tmp_path / 'run'}", *arguments)
    assert done.returncode == 2
    line = line_of(check, done.stdout)
    assert line.startswith("fail") and said in line and " -> " in line


def test_a_directory_that_cannot_be_the_run_s(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("doctor", SMOKE, f"--workdir={tmp_path / 'file' / 'run'}")
    assert done.returncode == 2 and line_of("workdir", done.stdout).startswith("fail")
    done = run("doctor", SMOKE, "--workdir=gss://bucket/run", cwd=tmp_path)
    assert done.returncode == 2 and "did you mean 'gs'" in line_of("workdir", done.stdout)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = run("doctor", SMOKE, f"--workdir={tmp_path / 'mine'}")
    assert done.returncode == 2 and "letter.txt" in line_of("workdir", done.stdout)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_coordinator_that_others_cannot_reach(tmp_path: Path) -> None:
    done = run(
        "doctor",
        *(SMOKE, f"--workdir={tmp_path / 'run'}", "--config.distributed.coordinator=127.0.0.1:9"),
        *("--config.distributed.processes=2", "--config.distributed.process_id=1"),
        "--config.distributed.timeout_seconds=0.5",
    )
    assert done.returncode == 2
    line = line_of("processes", done.stdout)
    assert "nobody listens there" in line and "127.0.0.1:9 is a loop-back address" in line
    assert f"as {socket.gethostname()}:9" in line
    assert line_of("all-reduce", done.stdout).startswith("ok"), "the rest is looked at all the same"


@pytest.mark.parametrize(
    ("coordinator", "loops"),
    [("localhost:1", True), ("127.3.2.1:1", True), ("[::1]:1", True), ("192.0.2.7:1", False)],
)
def test_loop_back_addresses_are_known(coordinator: str, loops: bool) -> None:
    assert meeting.is_loop_back(coordinator) == loops


def test_who_does_not_come_is_told_without_blaming_the_address() -> None:
    distributed = ConfigDict({"coordinator": "192.0.2.7:1", "detect": False})
    finding = meeting.not_met(distributed, InputError("process 1 did not come"))
    assert finding.level == FAIL and "loop-back" not in finding.said


class Held(NamedTuple):
    device: str
    pid: int
    pattern: str


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    device = tmp_path / "accel0"
    device.write_text("")
    holds = f"import time; file = open({str(device)!r}); print(flush=True); time.sleep(60)"
    (tmp_path / "other.py").write_text(holds)
    command = ["python", "other.py"]
    other = subprocess.Popen(
        command, executable=sys.executable, cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    yield Held(str(device), other.pid, str(tmp_path / "accel[0-9]*"))
    other.kill()
    other.wait()
    other.stdout.close()


def test_who_holds_an_accelerator(held: Held) -> None:
    devices = accelerators.present([held.pattern])
    assert devices == [held.device]
    found = accelerators.holders(devices)
    finding = accelerators.held(found, [], devices)
    assert finding.level == FAIL and finding.remedy.endswith(f"kill {held.pid}")
    assert f"process {held.pid}" in finding.said and "(python other.py) holds" in finding.said
    # One that belongs to the run is none of the others.
    assert accelerators.held(found, [held.pid], devices).level == OK


def test_this_process_is_no_other(held: Held) -> None:
    with open(held.device):
        assert [one.pid for one in accelerators.holders([held.device])] == [held.pid]


@pytest.mark.parametrize(("memory", "level"), [("40536", FAIL), ("12", WARN), ("[N/A]", FAIL)])
def test_what_the_driver_tells_of_gpus(
    memory: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\necho '4242, python, {memory}'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    finding = accelerators.held(accelerators.holders([]), [], [])
    assert finding.level == level and "process 4242 (python) holds a GPU" in finding.said


def test_who_only_watches_a_gpu_is_no_fault() -> None:
    held = accelerators.held
    opened = accelerators.Holder(7, "some daemon", "/dev/nvidia0")
    assert held([opened], [], ["/dev/nvidia0"]).level == WARN
    assert held([opened._replace(computes=True, mebibytes=40000)], [], []).level == FAIL
    assert held([opened._replace(device="/dev/accel0")], [], []).level == FAIL


def test_an_accelerator_that_jax_passes_over() -> None:
    finding = accelerators.used("cpu", ["/dev/nvidia0"], None)
    assert finding is not None and finding.level == WARN and "cuda" in finding.remedy
    finding = accelerators.used("cpu", ["/dev/accel0"], "cpu")
    assert finding is not None and "JAX_PLATFORMS=cpu" in finding.said
    assert accelerators.used("gpu", ["/dev/nvidia0"], None) is None
    assert accelerators.used("cpu", [], "cpu") is None


def test_memory_that_is_not_enough() -> None:
    assert disks.memory(10**9, {}, 10**8).level == OK
    finding = disks.memory(10**9, {}, 4 * 10**8)
    assert finding.level == FAIL and "too much for the host" in finding.said
    # With accelerators the host holds a copy, and they make the step.
    assert disks.memory(10**9, {"gpu:0": 2 * 10**9}, 4 * 10**8).level == OK
    finding = disks.memory(10**10, {"gpu:0": 10**9, "gpu:1": 10**10}, 4 * 10**8)
    assert finding.level == FAIL and "too much for gpu:0" in finding.said
    assert disks.memory(None, {}, 1).level == OK


def test_free_memory_is_read_from_the_system(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:  2000 kB\nMemAvailable:   1000 kB\n")
    assert disks.available_memory(told) == 1024000
    assert disks.available_memory(tmp_path / "none") is None


@pytest.mark.parametrize(("free", "level"), [(1000, OK), (999, WARN), (499, FAIL)])
def test_room_for_the_checkpoints(
    free: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    finding = disks.room(tmp_path / "not" / "there", state_bytes=100, keep=3)
    assert finding.level == level and (level == OK or "runs prune" in finding.remedy)


@pytest.mark.parametrize(("speed", "level"), [(10.0, OK), (1.2, WARN), (0.9, FAIL)])
def test_a_disk_that_is_slow(speed: float, level: str) -> None:
    finding = disks.time_to_save(speed, state_bytes=100, grace=20.0, lead=120.0)
    assert finding.level == level


def test_marks_that_are_not_seen(tmp_path: Path) -> None:
    assert disks.mark(tmp_path, "token", 0) == "" and disks.mark(tmp_path, "other", 1) == ""
    assert disks.unseen(tmp_path, "token", 2, patience=0.0) == [1]
    finding = disks.shared(tmp_path, "", [1], 2)
    assert finding.level == FAIL and "process 1 has written is not seen" in finding.said
    disks.unmark(tmp_path, "token", 0)
    disks.unmark(tmp_path, "other", 1)
    assert not list(tmp_path.iterdir())


def test_clocks_that_differ() -> None:
    assert meeting.clocks([1000.0, 1000.4], took=0.1).level == OK
    assert meeting.clocks([1000.0, 1004.0], took=3.5).level == OK, "asking may have taken it"
    finding = meeting.clocks([1000.0, 988.0, 1000.0], took=0.1)
    assert finding.level == WARN and "12.00 s" in finding.said and "process 1" in finding.said
    assert meeting.clocks([1000.0, 2000.0], took=0.1).level == FAIL


def test_processes_that_say_different_things() -> None:
    said: list[dict[str, Any]] = [{"version of jax": "0.10.2"}, {"version of jax": "0.9.0"}]
    finding = meeting.equal("versions", said, "equal", "install the same")
    assert finding.level == FAIL
    assert "version of jax: '0.10.2' on process 0; '0.9.0' on process 1" in finding.said
    assert meeting.equal("versions", said[:1] * 2, "equal", "") == Finding("versions", OK, "equal")


def test_the_sum_over_eight_devices_is_right() -> None:
    finding = all_reduce.judged(all_reduce.all_reduce(Devices("jit", 8), elements=1000), 8)
    assert finding.level == OK and "from each of 8 devices is right" in finding.said


def test_a_sum_that_is_wrong_or_does_not_come() -> None:
    values = np.full(1000, 36, np.float32)
    values[7] = 35
    finding = all_reduce.judged(Summed(values, 1.0), 8)
    assert finding.level == FAIL and "1 of 1,000 sums are wrong: 35 to 36 inste" in finding.said

    def hangs() -> Summed:
        time.sleep(1.0)
        raise AssertionError

    def breaks() -> Summed:
        raise RuntimeError("NCCL operation failed: unhandled system error")

    assert all_reduce.judged(all_reduce.within(0.05, hangs), 8, 0.05).said.startswith("it did not")
    finding = all_reduce.judged(all_reduce.within(5.0, breaks), 8)
    assert finding.level == FAIL and "unhandled system error" in finding.said


def test_one_table_of_all_processes() -> None:
    fine, far = Finding("clocks", OK, "near"), Finding("clocks", OK, "nearer")
    full = Finding("disk", FAIL, "full", "make room")
    some = Finding("disk", OK, "empty")
    assert merged([[fine, some], [far, full]], ["a", "b"]) == [
        fine,
        Finding("disk", FAIL, "process 1 on b: full", "make room"),
    ]
    assert merged([[full], [full]], ["a", "b"]) == [full], "all say the same once"
    assert worst([fine, full]) == FAIL and worst([]) == OK
    lines = table([fine, full]).splitlines()
    assert lines == ["ok    clocks  near", "fail  disk    full -> make room"]
    assert "\x1b[31mfail" in table([full], colours=True)


def together(root: Path, tmp_path: Path, own: list[list[str]]) -> list[tuple[int, str]]:
    """Returns exit code and output of the doctor on each process, with flags of its own."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "experiments.doctor", SMOKE, *flags),
                f"--config.distributed.coordinator=localhost:{port}",
                f"--config.distributed.processes={len(own)}",
                f"--config.distributed.process_id={i}",
            ],
            cwd=root,
            env=environment | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i, flags in enumerate(own)
    ]
    outputs = [process.communicate(timeout=200)[0] for process in started]
    return [(p.returncode, out) for p, out in zip(started, outputs, strict=True)]


@pytest.mark.slow
def test_what_jax_does_not_detect(root: Path, tmp_path: Path) -> None:
    flags = [SMOKE, f"--workdir={tmp_path / 'run'}", "--config.distributed.detect=True"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.doctor", *flags],
        capture_output=True,
        text=True,
        cwd=root,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 2, done.stderr
    assert "config.distributed.detect: jax" in line_of("processes", done.stdout)
    assert "alone leave detect unset" in line_of("processes", done.stdout)


@pytest.mark.slow
def test_two_processes_that_agree(root: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "experiments.launch.local", "--devices_per_process=2", "--"]
    doctor = [sys.executable, "-m", "experiments.doctor", SMOKE, f"--workdir={tmp_path / 'run'}"]
    environment = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    done = subprocess.run(
        launch + doctor, capture_output=True, text=True, cwd=root, env=environment, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spoken = [line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("[0] ok")]
    assert spoken == [["ok", check] for check in CHECKS]
    assert "2 have met at localhost:" in done.stdout
    assert "from each of 4 devices is right" in done.stdout
    assert "[1] ok" not in done.stdout and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_processes_that_do_not_agree(root: Path, tmp_path: Path) -> None:
    """Four faults at once, planted on process 1; each has its line, and none hides another."""
    outcomes = together(
        root,
        tmp_path,
        [
            [f"--workdir={tmp_path / 'one'}"],
            [
                f"--workdir={tmp_path / 'two'}",
                "--config.optim.learning_rate=0.5",
                "--config.data.kwargs.seed=9",
                "--config.checkpoint.grace_seconds=5000",
            ],
        ],
    )
    assert [code for code, _ in outcomes] == [2, 2], outcomes
    out = outcomes[0][1]
    assert "config.optim.learning_rate: 0.02 on process 0; 0.5 on process 1" in line_of(
        "config", out
    )
    assert re.search(r"SHA-256 of the pixels of train: '\w+' on process 0", line_of("data", out))
    seen = [line for line in out.splitlines() if " workdir " in line]
    assert len(seen) == 2 and all(line.startswith("fail") for line in seen)
    assert "what process 0 has written is not seen" in seen[1]
    assert "versions" in out and "ok    all-reduce" in out
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
