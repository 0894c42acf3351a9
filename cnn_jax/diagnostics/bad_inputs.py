"""Runs commands on bad inputs, and says how each of them ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_SECONDS = 60.0  # then it hangs
TRAIN = ("experiments.train", "--config=configs/smoke.py")
SMALL = ("--config.data.kwargs.train=60", "--config.data.kwargs.test=10", "--config.train.epochs=2")
Words = Callable[[Path], Sequence[str]]
TRACEBACK = "Traceback (most recent call last)"
TAKEN = "config.json"  # in a run directory: it belongs to a config


@dataclass(frozen=True)
class BadInput:
    """A command on a bad input.

    Attributes:
        kind: under which it stands in the table.
        what: the input, in words.
        command: makes the input in an empty directory and returns the words after `python -m`;
            `run` there is where a run would go.
        codes: the exit codes that it may end with.
        claims: whether the run directory may be taken: the input lies in a run that exists.
        environment: variables that are set, `HERE` in their values being the directory.
        shell: what a shell does before the command, or with its streams: `ulimit -n 9; {}`.
    """

    kind: str
    what: str
    command: Words
    codes: tuple[int, ...] = (2,)
    claims: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    shell: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        case: the input.
        code: of its exit; None: it hung, and was killed.
        line: the first line of its message.
        seconds: it took.
        faults: what must not be: a traceback, a hang, another exit code, a directory that is taken.
    """

    case: BadInput
    code: int | None
    line: str
    seconds: float
    faults: tuple[str, ...] = field(default=())


def outcome_of(case: BadInput, directory: Path, root: Path) -> Outcome:
    """Runs one command.

    Args:
        case: the input.
        directory: new and empty; for everything that the command reads and writes.
        root: of the repository, where `configs/` lies.
    """
    words = [sys.executable, "-m", *case.command(directory)]
    if case.shell:
        words = ["sh", "-c", case.shell.format('exec "$@"'), "sh", *words]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
    for name, value in case.environment.items():
        environment[name] = value.replace("HERE", str(directory))
    began = time.monotonic()
    process = subprocess.Popen(
        words,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LONGEST_SECONDS)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        code = None
    text = output.decode(errors="replace")
    seconds = time.monotonic() - began
    return Outcome(
        case,
        code,
        message_in(text, directory),
        seconds,
        tuple(_faults(case, code, text, directory)),
    )


def message_in(text: str, directory: Path) -> str:
    """Returns the first line of an error in what a command printed, without the directory."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error:", "warning:"))]
    shown = next(iter(errors or lines[-1:]), "")
    return shown.replace(f"{directory}/", "").replace(str(directory), ".")


def _faults(case: BadInput, code: int | None, text: str, directory: Path) -> Iterator[str]:
    if code is None:
        yield f"hangs: over {LONGEST_SECONDS:g} s"
    elif code not in case.codes:
        yield f"exit code {code}"
    if TRACEBACK in text:
        yield "traceback"
    if code != 0 and not case.claims and (directory / "run" / TAKEN).exists():
        yield "the directory is taken"
    if left := [path.name for path in directory.rglob(".*.new")]:
        yield f"half-written: {', '.join(left)}"


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Returns one table a kind: what was given, the exit code, the first line of the message."""
    lines: list[str] = []
    for kind in dict.fromkeys(outcome.case.kind for outcome in outcomes):
        lines += [f"## {kind}", "", "| input | exit code | s | first line |", "|---|---:|---:|---|"]
        lines += [_row(outcome) for outcome in outcomes if outcome.case.kind == kind]
        lines.append("")
    return "\n".join(lines)


def _row(outcome: Outcome) -> str:
    code = "killed" if outcome.code is None else str(outcome.code)
    cells = [outcome.case.what, code, f"{outcome.seconds:.1f}", outcome.line]
    if outcome.faults:
        cells[-1] += f" **FAULT: {', '.join(outcome.faults)}**"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
