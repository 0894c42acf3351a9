"""Ctrl-C ends every binary with a line, whatever it is doing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

AS_A_BINARY = "import sys; sys.path.insert(0, {path!r}); sys.argv[0] = '-m'; import experiments; "
INTERRUPTED = "interrupted by Ctrl-C\n"


def program(root: Path, tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that begins as a binary does; `hit` presses Ctrl-C when it is imported."""
    (tmp_path / "hit.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    import time; time.sleep(5)\n"
        "except KeyboardInterrupt:\n    print('raised')\n"
    )
    command = [sys.executable, "-c", AS_A_BINARY.format(path=str(tmp_path)) + text]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("text", ["import hit", "exec(open({!r}).read())"])
def test_nothing_is_raised(text: str, root: Path, tmp_path: Path) -> None:
    """Native code, such as jaxlib's, dies of an exception, and a callback drops it."""
    done = program(root, tmp_path, text.format(str(tmp_path / "hit.py")))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", INTERRUPTED)


def test_a_signal_that_is_ignored_stays_ignored(root: Path, tmp_path: Path) -> None:
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    text = "import os; os.kill(os.getpid(), signal.SIGINT); print('on')"
    command = [sys.executable, "-c", ignore + AS_A_BINARY.format(path="") + text]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")


COMMANDS = {
    "ablate": ("--config=configs/ablations/dropout.py", "--workdir={}/run"),
    "benchmark": ("step", "--model=lenet5", "--channels=1"),
    "chaos": ("--workdir={}/run",),
    "checkpoint": ("show", "--workdir={}/nothing"),
    "compare": ("{}",),
    "describe": ("--all",),
    "digits_svc": (),
    "doctor": ("--config=configs/digits/lenet5.py", "--workdir={}/run"),
    "evaluate": ("--workdir={}/nothing",),
    "figures": ("--data_directory={}/nothing", "--workdir={}/run"),
    "initial_loss": (),
    "predict": ("--workdir={}/nothing", "docs/images"),
    "preflight": ("--config=configs/digits/lenet5.py", "--output={}/preflight"),
    "prepare": ("--dataset=folder", "--folder=docs/images", "--data_dir={}/data"),
    "profile": ("--config=configs/digits/lenet5.py", "--output={}/profile"),
    "report": ("--workdir={}/nothing",),
    "reproduce": ("--config=configs/digits/lenet5.py", "--workdir={}/run"),
    "robustness": ("--only=config",),
    "runs": ("list", "{}"),
    "scale": ("--config=configs/digits/lenet5.py",),
    "search": ("--config=configs/searches/digits_lenet5.py", "--workdir={}/run"),
    "see": ("filters", "--config=configs/digits/lenet5.py", "--random", "--output={}/pictures"),
    "seeds": ("--config=configs/digits/lenet5.py", "--workdir={}/run"),
    "signals": ("--config=configs/digits/lenet5.py", "--output={}/signals.png"),
    "train": ("--config=configs/digits/lenet5.py", "--workdir={}/run"),
}


@pytest.mark.slow
@pytest.mark.xdist_group("time")
@pytest.mark.parametrize("name", COMMANDS)
def test_every_binary_ends_with_a_line(name: str, root: Path, tmp_path: Path) -> None:
    """Each at another moment, between the first import and the first numbers."""
    words = [word.format(tmp_path) for word in COMMANDS[name]]
    running = subprocess.Popen(
        [sys.executable, "-m", f"experiments.{name}", *words],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1.5 + 0.2 * list(COMMANDS).index(name))
    over = running.poll() is not None
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=120)
    assert "Traceback" not in said + out
    if not over:
        # 75: it has saved a checkpoint; 0 and 2: it came to its end first.
        assert running.returncode in (130, 75, 0, 2), said
        assert said.strip() or running.returncode != 130


def test_every_binary_is_among_them(root: Path) -> None:
    files = (root / "experiments").glob("*.py")
    binaries = {file.stem for file in files if "command_line.run(main)" in file.read_text()}
    assert binaries == set(COMMANDS)
