"""The launcher on a command that trains nothing: it ends with it, however it ends."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.launch.local import pass_on
from experiments.launch.tied import WATCH

MEMBER = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
def ended(number, frame):
    (folder / f"ended-{os.getpid()}").write_text(signal.Signals(number).name)
    os._exit(75)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, ended)
(folder / f"began-{os.getpid()}").touch()
time.sleep(60)
"""


def launched(root: Path, code: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    (folder / "member.py").write_text(code)
    words = [sys.executable, "-m", "experiments.launch.local", "--processes=2", "--"]
    return subprocess.Popen(
        [*words, sys.executable, str(folder / "member.py"), str(folder)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def wait_until(folder: Path, pattern: str, count: int) -> list[Path]:
    deadline = time.monotonic() + 30
    while len(found := sorted(folder.glob(pattern))) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == count, f"{len(found)} of {pattern}"
    return found


@pytest.mark.parametrize("how", ["the kernel", "the pipe"])
def test_no_process_outlives_a_launcher_that_was_killed(
    how: str, root: Path, tmp_path: Path
) -> None:
    launcher = launched(root, MEMBER, tmp_path, **({WATCH: "1"} if how == "the pipe" else {}))
    wait_until(tmp_path, "began-*", 2)
    launcher.send_signal(signal.SIGKILL)
    ended = wait_until(tmp_path, "ended-*", 2)
    assert [file.read_text() for file in ended] == ["SIGTERM"] * 2
    launcher.communicate(timeout=20)


def test_a_lost_terminal_is_handed_on(root: Path, tmp_path: Path) -> None:
    launcher = launched(root, MEMBER, tmp_path)
    wait_until(tmp_path, "began-*", 2)
    launcher.send_signal(signal.SIGHUP)
    ended = wait_until(tmp_path, "ended-*", 2)
    assert [file.read_text() for file in ended] == ["SIGHUP"] * 2
    launcher.communicate(timeout=20)
    assert launcher.returncode == 75


def test_output_that_nobody_takes_stops_nobody(root: Path, tmp_path: Path) -> None:
    talks = "for i in range(20000): print('a line of some length, again and again', i)"
    launcher = launched(root, talks, tmp_path)
    assert launcher.stdout is not None
    launcher.stdout.readline()
    launcher.stdout.close()
    assert launcher.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--processes=2", "python", "-m", "x"], "-- is missing before the command, as in python"),
        (["python", "--", "python"], "python stands before --, the command after it"),
        (["--"], "there is no command after --"),
        (["--", "no-such-program"], "no-such-program is no program that is found here"),
    ],
)
def test_the_two_dashes_are_explained(root: Path, words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "experiments.launch.local", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_who_met_whom_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    met = "[Gloo] Rank 10 is connected to 7 peer ranks. "
    met += "Expected number of connected peer ranks is : 7\n"
    trouble = "[Gloo] Rank 10 gave up: connection refused\n"
    pass_on(1, io.StringIO(f"a\n\n{met}{met}{met.rstrip()}step 1\n{trouble}"))
    assert capsys.readouterr().out == f"[1] a\n[1] \n[1] step 1\n[1] {trouble}"
