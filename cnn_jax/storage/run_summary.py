"""What lies in a directory of runs: each run, ablation and search with its state and its errors.

Read from the files alone, without jax; nothing is changed, and a run that trains is not disturbed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.files import read_json, with_nan

RUN, ABLATION, SEARCH = "run", "ablation", "search"
# What tells each kind while it is in the making, and when it is done.
RECORDS = {RUN: "config.json", ABLATION: "plan.json", SEARCH: "search.json"}
FINISHED, INTERRUPTED, RUNNING, DAMAGED = "finished", "interrupted", "running", "damaged"
TAIL = 2**18  # bytes of a log in which its last lines are looked for
CONFIG_FILE = re.compile(r"--?config(?:=|$)(.*)")


@dataclass(frozen=True)
class RunSummary:
    """One run, ablation or search.

    Attributes:
        path: its directory.
        kind: `run`, `ablation` or `search`.
        state: `finished`; `interrupted`, which the same command continues; `running`: somebody
            holds its lock; or `damaged`: a file of it cannot be read.
        problem: what is damaged; else empty.
        config_file: as `--config` had it; empty where it is not known.
        config_hash: of the config, or of the base.
        network: its name, and its variant or depth.
        step: of the last line in the log; of populations none.
        epoch: the same in epochs.
        epochs: the length that the config asks for.
        validation_error: the last one in the log, a fraction.
        test_error: of the result, a fraction.
        bytes: of all files.
        changed: when the log or the result was written last, seconds since 1970.
    """

    path: Path
    kind: str
    state: str
    problem: str = ""
    config_file: str = ""
    config_hash: str = ""
    network: str = ""
    step: int | None = None
    epoch: float | None = None
    epochs: float | None = None
    validation_error: float | None = None
    test_error: float | None = None
    bytes: int = 0
    changed: float = 0.0

    def to_tree(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        return asdict(self) | {"path": str(self.path)}


def runs_below(directory: Path) -> list[RunSummary]:
    """Returns what lies in a directory and below it, by name; a run is not looked into further.

    Raises:
        InputError: there is no such directory.
    """
    if not directory.is_dir():
        raise InputError(f"{directory} is no directory; runs lie in runs/ unless --workdir says so")
    return [summary_of(path) for path in sorted(_found(directory))]


def summary_of(path: Path) -> RunSummary:
    """Returns what the files of one run, ablation or search say.

    Raises:
        InputError: the directory holds none.
    """
    kind = next((kind for kind, name in RECORDS.items() if (path / name).is_file()), None)
    if kind is None:
        raise InputError(f"{path} is no run directory: it holds no {' or '.join(RECORDS.values())}")
    files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    about: dict[str, Any] = {"bytes": sum(_size(file) for file in files)}
    logs = [file for file in files if file.suffix in (".json", ".jsonl") and file.parent == path]
    about["changed"] = max((_time(file) for file in logs), default=0.0)
    try:
        about |= _of_run(path) if kind == RUN else _of_population(path, kind)
    except (InputError, KeyError, TypeError, AttributeError, ValueError) as error:
        told = str(error) if isinstance(error, InputError) else f"{RECORDS[kind]}: {error!r}"
        about |= {"state": DAMAGED, "problem": told}
    if is_running(path):
        about |= {"state": RUNNING}
    return RunSummary(path, kind, **about)


def is_running(path: Path) -> bool:
    """Whether a process holds the lock of a run directory."""
    try:
        with (path / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # none, or a file system that cannot tell
        return False
    return False


def last_lines(log: Path) -> dict[str, dict[str, Any]]:
    """Returns the last line of each kind in a log, of those that stand near its end.

    A line that a kill has cut short is left out.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            texts = file.read().split(b"\n")
    except FileNotFoundError:
        return {}
    lines: dict[str, dict[str, Any]] = {}
    for text in texts:
        try:
            line = with_nan(json.loads(text))
            lines[line["kind"]] = line
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return lines


def network_in_words(config: Mapping[str, Any]) -> str:
    """Returns `resnet 50 v1` of a config tree: the network, its depth and its variant."""
    kwargs = config["model"]["kwargs"]
    words = [kwargs[name] for name in ("depth", "variant") if name in kwargs]
    return " ".join([config["model"]["name"], *map(str, words)])


def config_file_of(command: Any) -> str:
    """Returns what `--config` of a command line was; empty where it had none."""
    words = [str(word) for word in command or ()]
    for word, following in pairwise([*words, ""]):
        if match := CONFIG_FILE.fullmatch(word):
            return match[1] or following
    return ""


def _of_run(path: Path) -> dict[str, Any]:
    saved = read_json(path / RECORDS[RUN])
    config, lines = saved["config"], last_lines(path / "metrics.jsonl")
    result = read_json(path / "result.json")
    made = [line for line in lines.values() if "step" in line]
    last = max(made, key=lambda line: line["step"], default={})
    return {
        "state": INTERRUPTED if result is None else FINISHED,
        "config_file": config_file_of(saved.get("command")),
        "config_hash": saved["config_hash"],
        "network": network_in_words(config),
        "step": last.get("step"),
        "epoch": last.get("epoch"),
        "epochs": config["train"]["epochs"],
        "validation_error": lines.get("validation", {}).get("top1_error"),
        "test_error": None if result is None else result["top1_error"],
    }


def _of_population(path: Path, kind: str) -> dict[str, Any]:
    """An ablation or a search; the errors of a search are those of its best trial."""
    saved = read_json(path / RECORDS[kind])
    base = saved[kind]["base"]
    best, done = None, (path / "ablation.json").is_file()
    if kind == SEARCH:
        stages = saved["stages_run"]
        done = len(stages) == len(saved[kind]["stages"])
        errors = [trial["validation_error"] for trial in stages[-1]["trials"]] if stages else []
        best = min((error for error in errors if error is not None), default=None)
    return {
        "state": FINISHED if done else INTERRUPTED,
        "config_file": config_file_of(saved.get("command")),
        "network": network_in_words(base),
        "epochs": base["train"]["epochs"] if kind == ABLATION else None,
        "validation_error": best,
    }


def _found(directory: Path) -> Iterator[Path]:
    for place, below, names in os.walk(directory):
        if any(record in names for record in RECORDS.values()):
            below.clear()
            yield Path(place)
        else:
            below[:] = [name for name in below if not name.startswith(".")]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # a run has just deleted it
        return 0


def _time(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
