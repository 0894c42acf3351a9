"""The command behind `--`: split off, and held against its config before anything waits in a queue.

A launcher prints what it would hand to a cluster, hours before a mistake in the command shows. So
the command is checked here as the binary itself checks it: its flags, its config, every override.
"""

from __future__ import annotations

import functools
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from absl import flags
from ml_collections import FrozenConfigDict

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.addresses import checked_address, is_address
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.search import Search
from experiments import command_line

EXPERIMENTS = Path(command_line.__file__).parent
DETECT = "--config.distributed.detect=True"
SET_HERE = {f"distributed.{key}" for key in ("coordinator", "processes", "process_id", "detect")}
# Binaries that join other processes.
JOIN = ("ablate", "doctor", "evaluate", "reproduce", "search", "seeds", "train")
RUNS = "command_line.run(main)"  # what a binary ends with
GRACE_WITHOUT_A_CONFIG = 20.0
SECONDS_TO_SAVE = 100  # for the checkpoint, after the running step was waited for
NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
FLAG = re.compile(r"^  --(\w+)=", re.MULTILINE)


class Launched(NamedTuple):
    """A command that a cluster is to run.

    Attributes:
        words: with the flag by which its processes find one another, where they are several.
        grace_seconds: `config.checkpoint.grace_seconds`: the longest wait for the running step
            after a signal; what comes then, writing the checkpoint, takes longer.
        name: of the run, from its config file.
    """

    words: list[str]
    grace_seconds: float
    name: str


def split_off(argv: list[str], usage: str, example: str) -> list[str]:
    """Parses a launcher's own flags and returns the words after `--`.

    Args:
        argv: the program and its arguments.
        usage: what the program does, for `--help`.
        example: a whole command line.

    Raises:
        InputError: there is no `--`, nothing stands behind it, or a flag is wrong.
    """
    split = argv.index("--") if "--" in argv else len(argv)
    if split == len(argv) and not command_line.HELP & set(argv):
        raise InputError(f"-- is missing before the command, as in {example}")
    command = argv[split + 1 :]
    extra = command_line.parse(argv[:split], usage)
    if extra:
        what = " ".join(extra)
        raise InputError(f"{what} stands before --, the command after it: {example}")
    if not command:
        raise InputError(f"there is no command after --, as in {example}")
    return command


def checked(command: list[str], processes: int | None) -> Launched:
    """Returns a command as a cluster runs it.

    Args:
        command: python, -m, a module of experiments, and its arguments.
        processes: how many there will be; None: that is seen on the cluster only.

    Raises:
        InputError: it is no such command, or would be refused where it runs.
    """
    if len(command) < 3 or command[1] != "-m" or not command[2].startswith("experiments."):
        raise InputError(
            f"the command after -- begins with {' '.join(command[:3])}; allowed: "
            "python -m experiments.train --config=FILE, or another of experiments, by any python"
        )
    binary, arguments = command[2].removeprefix("experiments."), command[3:]
    known = [file.stem for file in EXPERIMENTS.glob("*.py") if RUNS in file.read_text("utf-8")]
    if binary not in known:
        raise InputError(f"there is no experiments.{binary}{hint(binary, known)}")
    words = command_line.split([binary, *arguments])
    _check_flags(binary, words.others[1:])
    for word in words.others:
        flag, _, value = word.partition("=")
        if flag == "--workdir" and is_address(value):
            checked_address(flag, value)
    for key, _ in words.overrides:
        if key in SET_HERE:
            raise InputError(f"--config.{key} is the launcher's to set: leave it out")
    config = _config(binary, words)
    if processes not in (None, 1) and binary not in JOIN:
        raise InputError(
            f"experiments.{binary} runs in one process, and each of {processes} would do all of "
            f"it; launch it as one, or one of those that join: {', '.join(JOIN)}"
        )
    return Launched(
        [*command, *([DETECT] if processes != 1 and binary in JOIN else [])],
        GRACE_WITHOUT_A_CONFIG if config is None else config.checkpoint.grace_seconds,
        _name(words.files[-1]) if words.files else binary.replace("_", "-"),
    )


def lead(grace_seconds: float, given: int | None) -> int:
    """Returns how many seconds before the end a run must hear of it.

    Args:
        grace_seconds: the longest wait for the running step.
        given: by the user; None: as long as that, and the time to write a checkpoint.

    Raises:
        InputError: it does not leave any time for the checkpoint.
    """
    needed = math.ceil(grace_seconds) + SECONDS_TO_SAVE
    if given is None:
        return needed
    if given <= grace_seconds:
        raise InputError(
            f"--lead_seconds={given} is not above checkpoint.grace_seconds={grace_seconds:g}: the "
            f"run may wait so long for its step, and nothing is left to save in; give "
            f"--lead_seconds={needed}, or a shorter wait by --config.checkpoint.grace_seconds"
        )
    return given


def named(name: str | None, launched: Launched) -> str:
    """Returns the name of a job: the given one, or that of the run.

    Raises:
        InputError: it is none that every scheduler takes.
    """
    if name is None:
        return launched.name
    if not NAME.fullmatch(name):
        raise InputError(
            f"--name={name}: allowed are up to 40 small letters, digits and -, a letter first and "
            "no - last"
        )
    return name


def one_word(flag: str, value: str | None, pattern: str = r"[\w.:@/,=+%*#-]+") -> None:
    """Raises `InputError` where a value has characters that a scheduler would read otherwise."""
    if value is not None and not re.fullmatch(pattern, value, re.ASCII):
        raise InputError(
            f"--{flag}={value!r}: allowed are letters, digits and .:@/,=+%*#-_ without spaces"
        )


def lines_of(setup: str | None) -> str:
    """Returns the text of the file of --setup; empty where there is none.

    Raises:
        InputError: it cannot be read.
    """
    if setup is None:
        return ""
    try:
        return Path(setup).read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise InputError(f"--setup={setup}: {reason}; it is a file of shell lines") from error


def needs(program: str, what: str) -> None:
    """Raises `InputError` where a program is not found that `--submit` hands its work to."""
    if shutil.which(program) is None:
        raise InputError(
            f"--submit needs {program}, which is not found here: {what}; without --submit it is "
            "printed, and can be taken there"
        )


def _config(binary: str, words: command_line.Words) -> FrozenConfigDict | None:
    """Returns the config of a command as its binary makes it; None: it has none."""
    if not words.files:
        return None
    given = [f"--config={words.files[-1]}", *(f"--config.{k}={v}" for k, v in words.overrides)]
    new = flags.FlagValues()
    if binary == "ablate":
        return _base(command_line.parse_plan([binary, *given], "", Ablation, new)[1])
    if binary == "search":
        return _base(command_line.parse_plan([binary, *given], "", Search, new)[1])
    return command_line.parse_config([binary, *given], "", new)[1]


def _base(plan: Ablation | Search) -> FrozenConfigDict:
    """Returns the config that the members of a plan have in common, which is validated."""
    assert isinstance(plan.base, FrozenConfigDict)
    return plan.base


def _check_flags(binary: str, given: list[str]) -> None:
    """Holds the flags of a command against those that its binary tells of."""
    known = _flags(binary)
    for word in given:
        name = word.lstrip("-").partition("=")[0]
        if word.startswith("-") and name not in known and name.removeprefix("no") not in known:
            raise InputError(f"experiments.{binary}: --{name} is unknown{hint(name, known)}")


@functools.cache
def _flags(binary: str) -> list[str]:
    asked = [sys.executable, "-m", f"experiments.{binary}", "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, cwd=EXPERIMENTS.parent).stdout
    return FLAG.findall(told)


def _name(config_file: str) -> str:
    """Returns `digits-lenet5` for `configs/digits/lenet5.py:modern`."""
    path = Path(config_file.partition(":")[0])
    letters = re.sub(r"[^a-z0-9]+", "-", f"{path.parent.name}-{path.stem}".lower()).strip("-")
    short = letters[:40].strip("-")
    return short if NAME.fullmatch(short) else "run"
