"""The launcher on a command that trains nothing: it ends with it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
