"""A signal while a command writes its tables: a line, 75, and the same command completes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SEARCH = """
from cnn_jax.config import schema

def get_config():
    search = schema.base_search()
    search.base = "configs/digits/linear.py"
    search.ranges = {"optim.learning_rate": schema.LogUniform(1e-3, 1e-1)}
    search.stages = (schema.Stage(trials=2, epochs=1.0, kept=1),)
    return search
"""
SHORT = ("--config=configs/digits/linear.py", "--config.train.epochs=1")
COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "seeds": ((*SHORT, "--seeds=2"), "table.md"),
    "reproduce": (SHORT, "reproduction.md"),
    "search": (("--config={}/search.py",), "search.png"),
}
# SIGTERM comes as the named file is about to be written.
STRUCK = """
import os, runpy, signal, sys, time
from cnn_jax import files
write = files.replace
def struck(path, *rest, **how):
    if path.name == file:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    return write(path, *rest, **how)
files.replace = struck
name, file, sys.argv = sys.argv[1], sys.argv[2], sys.argv[2:]
runpy.run_module(f"experiments.{name}", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_command_completes_the_tables(name: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    words, file = COMMANDS[name]
    flags = [*(word.format(tmp_path) for word in words), f"--workdir={tmp_path / 'run'}"]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}

    def run(*start: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *start, *flags]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment)

    struck = run("-c", STRUCK, name, file)
    assert struck.returncode == 75, struck.stderr
    assert "SIGTERM: stopping; all is trained" in struck.stderr
    assert not (tmp_path / "run" / file).exists()
    again = run("-m", f"experiments.{name}")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run" / file).stat().st_size > 0
