"""A command on a terminal of its own, and how long it kept silent, by the work it did meanwhile."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CORES = 2  # of the machine that is spoken of: no work was done faster there than by all of them
TICK = os.sysconf("SC_CLK_TCK")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Shown:
    """What a command did on its terminal.

    Attributes:
        code: how it ended.
        text: all that it wrote.
        silences: seconds of work, and the words before them; one for each pause between two writes.
    """

    code: int
    text: str = ""
    silences: list[tuple[float, str]] = field(default_factory=list)

    @property
    def longest(self) -> tuple[float, str]:
        """The longest silence, and the last words before it."""
        return max(self.silences, default=(0.0, ""))


def show(
    command: Sequence[str], where: Path, environment: Mapping[str, str], timeout: float = 600
) -> Shown:
    """Runs a command on a terminal of 80 columns until it ends.

    A silence is measured by the processor time of the command and of all that it started: the
    busiest thread's, or that of all threads over two cores. That is the least that it lasts on a
    quiet machine of two cores, whatever else this one does.

    Args:
        command: program and arguments.
        where: it runs.
        environment: all of its variables.
        timeout: seconds until it is killed.
    """
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=where,
        env={**environment, "TERM": "xterm", "COLUMNS": "80"},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    shown, deadline = Shown(-1), os.times().elapsed + timeout
    before, spent = _work(process.pid), Counter[str]()  # the latter since the last words
    while True:
        waited = select.select([ours], [], [], 0.2)[0]
        now = _work(process.pid)
        spent.update({thread: ticks - before.get(thread, 0) for thread, ticks in now.items()})
        before = now
        if os.times().elapsed > deadline:
            process.kill()
        if not waited:
            continue
        try:
            read = os.read(ours, 1 << 16)
        except OSError:  # nobody has the other end any more
            read = b""
        seconds = max(0, *spent.values(), sum(spent.values()) / CORES) / TICK
        shown.silences.append((seconds, _last_words(shown.text)))
        spent.clear()
        if not read:
            break
        shown.text += read.decode(errors="replace")
    os.close(ours)
    shown.code = process.wait()
    return shown


def _last_words(text: str) -> str:
    return ESCAPES.sub("", text[-400:]).replace("\r", "\n").strip().rpartition("\n")[2][-120:]


def _work(root: int) -> dict[str, int]:
    """Returns the processor time of a process and its descendants, ticks by thread."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (parts := _stat(f"/proc/{entry.name}/stat")):
            parents[int(entry.name)] = int(parts[1])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    work = {}
    for pid in family:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:  # it has ended
            continue
        for thread in threads:
            if parts := _stat(f"/proc/{pid}/task/{thread}/stat"):
                work[f"{pid}/{thread}"] = int(parts[11]) + int(parts[12])
    return work


def _stat(file: str) -> list[str]:
    """Returns the fields after the name, which may hold anything."""
    try:
        return Path(file).read_text().rpartition(")")[2].split()
    except OSError:
        return []
