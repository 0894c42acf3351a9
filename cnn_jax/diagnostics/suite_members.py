"""What a suite keeps on the disk: whose directory a row's is, and what became of each seed.

`DIRECTORY/ROW/recipe.json` holds the config of the row, `seed-K.npz` the snapshot of a seed in
training, `seed-K.json` its record when it is done, with the time that it took and what it was
trained on.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.ablation.wave import DIVERGED
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.config.schema import Config
from cnn_jax.step.state import TrainState
from cnn_jax.storage.run_directory import origin

RECIPE = "recipe.json"
SECONDS = "seconds"


@dataclass(frozen=True)
class SeedResult:
    """What became of one seed of a row.

    Attributes:
        seed: which.
        error: on test, a fraction, of averaged parameters where there are any; None: it diverged.
        n: test examples.
        train_error: of the parameters at the end, on train as the network sees it in evaluation;
            None where it was not measured.
        stopped_step: at which it diverged.
        minutes: that it took, over all calls that it needed.
        config_hash: of its config.
        finished: day, as ISO 8601 has it.
        machine: that finished it.
        versions: of the libraries.
    """

    seed: int
    error: float | None
    n: int
    train_error: float | None
    stopped_step: int | None
    minutes: float
    config_hash: str
    finished: str
    machine: str
    versions: Mapping[str, str]

    def __str__(self) -> str:
        """What it came to, in words."""
        if self.error is None:
            return f"diverged at step {self.stopped_step}, {self.minutes:.1f} minutes"
        return f"test error {100 * self.error:.2f} %, {self.minutes:.1f} minutes"


class SeedFiles(WaveFiles):
    """The files of one seed, which also count the time that it takes.

    Args:
        directory: of the row.
        seed: which.
        hashed: `config_hash` of its config.
    """

    def __init__(self, directory: Path, seed: int, hashed: str):
        super().__init__(directory, f"seed-{seed}", [hashed])
        self._before, self._began = 0.0, math.nan
        self._hash = hashed
        self._time = directory / f"seed-{seed}-time.json"

    def begin(self) -> None:
        """Begins to count the time of this call."""
        self._began = time.monotonic()

    def restore(self, like: TrainState) -> tuple[TrainState, int, list[dict[str, Any]]] | None:
        """Returns state, step and record of the snapshot, and goes on counting from its time."""
        saved = super().restore(like)
        if saved is not None:
            self._before = float(saved[2][0][SECONDS])
        return saved

    def save(self, state: TrainState, step: int, records: list[dict[str, Any]]) -> None:
        """Writes a snapshot, with the time so far."""
        super().save(state, step, [record | {SECONDS: self._seconds} for record in records])

    def finish(self, records: list[dict[str, Any]]) -> None:
        """Writes the record, with the time, the day, the machine and its versions."""
        made_by = origin()
        about = {
            SECONDS: self._seconds,
            "config_hash": self._hash,
            "finished": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": made_by["machine"],
            "versions": made_by["versions"],
        }
        super().finish([record | about for record in records])
        self._time.unlink(missing_ok=True)

    def go_on(self) -> None:
        """Begins to count, on top of the time of calls that `pause` has written down."""
        self.begin()
        self._before = float((files.read_json(self._time) or {SECONDS: 0.0})[SECONDS])

    def pause(self) -> None:
        """Writes the time so far, where there is no snapshot that holds it."""
        files.write_json(self._time, {SECONDS: self._seconds})

    @property
    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began


def read_seed(directory: Path, seed: int, hashed: str) -> SeedResult | None:
    """Returns what became of a seed; None where it is not finished.

    Args:
        directory: of the row.
        seed: which.
        hashed: `config_hash` of its config.

    Raises:
        InputError: its record is damaged, or of another config.
    """
    records = SeedFiles(directory, seed, hashed).finished()
    if records is None:
        return None
    record, final = records[0], files.with_nan(records[0]["final"])
    if record["config_hash"] != hashed:
        raise InputError(
            f"{directory}/seed-{seed}.json is of config {record['config_hash']}, and the config of "
            f"this row with seed {seed} is {hashed}; choose another --workdir"
        )
    done = record["state"] != DIVERGED
    return SeedResult(
        seed=seed,
        error=final.get("averaged_test_error", final["test_error"]) if done else None,
        n=final["n"] if done else 0,
        train_error=final.get("train_error"),
        stopped_step=record["stopped_step"],
        minutes=record[SECONDS] / 60,
        config_hash=hashed,
        finished=record["finished"],
        machine=record["machine"],
        versions=record["versions"],
    )


def check_row(directory: Path, recipe: str, config: Config) -> None:
    """Checks that the directory of a row is new, or belongs to this config.

    Args:
        directory: of the row; need not exist.
        recipe: of the row.
        config: of the row, validated.

    Raises:
        InputError: the row was begun with another config.
    """
    saved = files.read_json(directory / RECIPE)
    if saved is None:
        return
    before, now = to_tree(complete(saved["config"])[0]), to_tree(config)
    if config_hash(before) == config_hash(now):
        return
    lines = difference(before, now) or [
        f"train.epochs: {before['train']['epochs']} in the directory, {now['train']['epochs']} now"
    ]
    raise InputError(
        f"{directory} holds {recipe} with another config; nothing was changed.\n  "
        + "\n  ".join(lines)
        + "\nTo go on with that one give its config; to train this one choose another --workdir, "
        "or move that directory away."
    )


def claim_row(directory: Path, config: Config) -> None:
    """Writes `recipe.json`, where it is not there: the directory belongs to this config.

    Args:
        directory: of the row; is created.
        config: of the row, validated.

    Raises:
        InputError: it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(directory, error) from error
    if not (directory / RECIPE).exists():
        files.write_json(directory / RECIPE, {"config": to_tree(config)} | origin())
