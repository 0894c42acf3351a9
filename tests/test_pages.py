"""The commands of README and docs, run one after the other in a fresh directory, on a terminal."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cnn_jax.data.digits import digits
from cnn_jax.storage.run_directory import read_json
from tests.page_commands import NOT_RUN, ROOT, SHORTER, Command, fenced
from tests.terminal import show

LONGEST_SILENCE = 5.0  # seconds on two quiet cores
COMMANDS = fenced()
RUN = [command for command in COMMANDS if not command.reason]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as after a clone, with a folder of images of the reader's own: 28x28, grey."""
    where = tmp_path_factory.mktemp("fresh")
    for name in ("cnn_jax", "configs", "docs", "experiments", "tests", "Makefile"):
        (where / name).symlink_to(ROOT / name)
    dataset = digits()
    for name, count in (("train", 300), ("test", 100)):
        split = dataset.split(name)
        for i in range(count):
            folder = where / "IMAGES" / name / f"digit {split.labels[i]}"
            folder.mkdir(parents=True, exist_ok=True)
            grey = Image.fromarray(split.images[i, :, :, 0]).resize((28, 28))
            grey.save(folder / f"{i}.png")
    return where


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Tests simulate eight devices; a reader has one.
    return {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"PATH": path}


def words_of(command: Command) -> list[str]:
    """Returns a command as it is run; of `make`, what it runs once all is installed."""
    words = shlex.split(command.text)
    if words[0] == "make":
        recipe = ["make", "-n", *words[1:], f"VENV={Path(sys.executable).parent.parent}"]
        # Of a make that runs these tests it would take the flags, and tell where it is.
        own = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
        said = subprocess.run(recipe, cwd=ROOT, capture_output=True, text=True, env=own)
        words = shlex.split(said.stdout.splitlines()[-1])
        assert words[1:3] == ["-m", "experiments.train"], said.stdout
    if "--" in words or words[0] == "python":
        words = [sys.executable if word == "python" else word for word in words]
    return [*words, *command.shorter]


@pytest.mark.slow
def test_every_command_ends_well_and_is_never_silent_for_long(fresh: Path) -> None:
    """In one test: most commands go on with what others have made."""
    faults = []
    for command in RUN:
        shown = show(words_of(command), fresh, environment())
        seconds, before = shown.longest
        if shown.code != 0 or "Traceback" in shown.text:
            faults.append(f"{command.text}: {shown.code}\n{shown.text[-2000:]}")
        if seconds >= LONGEST_SILENCE:
            faults.append(f"{command.text}: silent for {seconds:.1f} s after {before!r}")
        if command.text.endswith("--workdir=runs/own"):
            assert read_json(fresh / "runs" / "own" / "result.json")["parameters"] == 60_000
    assert not faults, "\n".join(faults)


def test_what_is_not_run_is_there_and_has_a_reason() -> None:
    reasons = {command.reason for command in COMMANDS}
    assert {why for _, why in NOT_RUN} <= reasons, "a reason that excuses nothing"
    assert len(RUN) > 30


def test_a_page_says_how_its_commands_are_shortened() -> None:
    for command in RUN:
        page = (ROOT / command.page).read_text()
        for word in command.shorter:
            assert word in page, f"{command.page} does not say {word}, for {command.text}"
    idle = [pattern for pattern, _ in SHORTER if not any(re.search(pattern, c.text) for c in RUN)]
    assert not idle
