"""What is tormented: a run of one process, of two, of streamed images, an ablation, a search."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

EXAMPLES, BATCH = 50, 8  # in train, where one run is trained
KILLED = "cnn_jax.diagnostics.killed_at"

RUN_FILES = ("digests.json", "metrics.jsonl", "result.json", "card.md", "config.json")


@dataclass(frozen=True)
class Kind:
    """One thing that can be tormented.

    Attributes:
        binary: the module of it.
        flags: (folder of the data, steps) -> flags of the binary, without `--workdir`.
        results: files that must come out the same.
        written: patterns of files in whose writing it may be killed.
        processes: of the run.
    """

    binary: str
    flags: Callable[[Path, int], list[str]]
    results: tuple[str, ...]
    written: tuple[str, ...]
    processes: int = 1

    @property
    def trains(self) -> bool:
        """Whether it is one run, with checkpoints and a log."""
        return "metrics.jsonl" in self.results

    def command(self, workdir: Path, steps: int, at: tuple[str, str] | None = None) -> list[str]:
        """Returns the command.

        Args:
            workdir: where everything goes.
            steps: length of the run.
            at: moment and file in whose writing it kills itself; None: it does not.
        """
        module = [self.binary] if at is None else [KILLED, *at, self.binary]
        flags = [*self.flags(workdir.parent, steps), f"--workdir={workdir}"]
        command = [sys.executable, "-m", *module, *flags]
        if self.processes == 1:
            return command
        launcher = [sys.executable, "-m", "experiments.launch.local"]
        launcher += [f"--processes={self.processes}", "--devices_per_process=1"]
        return [*launcher, "--heartbeat_seconds=10", "--", *command]


def _run_flags(folder: Path, steps: int, streamed: bool = False, alone: bool = True) -> list[str]:
    """A small network with everything random switched on."""
    data = {
        "data.source": "synthetic",
        "data.kwargs.train": EXAMPLES + 10,
        "data.kwargs.test": 17,
        "data.kwargs.size": 10,
        "data.shift_pixels": 1.0,
    }
    if streamed:
        data = {
            "data.source": "folder",
            "data.directory": _photographs(folder / "photographs"),
            "data.resident_megabytes": 0.0,
            "data.normalisation": "unit",
            "data.unreadable": "skip",
            "data.workers": 1,
            "train_crop.name": "random_resized",
            "train_crop.kwargs.size": 10,
            "test_crop.name": "shorter_side",
            "test_crop.kwargs.size": 10,
            "test_crop.kwargs.shorter_side": 11,
        }
    keys = data | {
        "data.validation_folds": 6,
        "data.flip": True,
        "model.kwargs.norm": "batch",
        "model.kwargs.dropout_rate": 0.3,
        "train.epochs": steps * BATCH / EXAMPLES,
        "train.batch_size": BATCH,
        "train.chunk_steps": 5,
        "evaluation.batch_size": BATCH,
        # One process makes a thousand steps a second, several that talk by gloo some twenty.
        "evaluation.every_epochs": 32.0 if alone else 4.0,
        "checkpoint.every_epochs": 128.0 if alone else 8.0,
        "log.example_ids": True,
        "log.every_steps": 1,
        "log.tensorboard": False,
    }
    return ["--config=configs/smoke.py", *(f"--config.{k}={v}" for k, v in keys.items())]


def _photographs(folder: Path) -> Path:
    """Makes images of two classes, one of which is none, and returns where they lie."""
    rng = np.random.default_rng(0)
    for split, count in (("train", EXAMPLES + 10), ("test", 17)):
        for number in range(count):
            path = folder / split / "ab"[number % 2] / f"{number}.png"
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (14, 12, 3), np.uint8)).save(path)
    (folder / "train" / "a" / "8.png").write_text("no image")
    return folder


ABLATION = """
from cnn_jax.config import schema

def get_config():
    ablation = schema.base_ablation()
    ablation.base = schema.base_config()
    ablation.base.model.name = "mlp"
    ablation.changes = {{"train.epochs": {epochs}, "train.batch_size": 32}}
    rates = {{rate: {{"optim.learning_rate": float(rate)}} for rate in ("0.1", "0.01")}}
    ablation.factors = {{"rate": rates}}
    ablation.seeds = 2
    return ablation
"""
SEARCH = """
from cnn_jax.config import schema

def get_config():
    search = schema.base_search()
    search.base = "configs/digits/linear.py"
    search.trial_changes = {{"data.validation_folds": 3, "data.validation_fold": 2}}
    search.ranges = {{"optim.learning_rate": schema.LogUniform(1e-4, 1e-2)}}
    search.stages = (
        schema.Stage(trials=4, epochs={epochs}, kept=2),
        schema.Stage(trials=3, epochs={epochs}, kept=1),
    )
    return search
"""


def _plan_flags(folder: Path, steps: int, name: str, text: str) -> list[str]:
    """Writes the file of a plan, whose members make some such number of steps."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text.format(epochs=max(1.0, steps / 40)))  # 40 batches of 32 or so an epoch
    return [f"--config={file}"]


KINDS: Final[dict[str, Kind]] = {
    "train": Kind("experiments.train", _run_flags, ("metrics.jsonl", "result.json"), RUN_FILES),
    "two": Kind(
        "experiments.train",
        lambda folder, steps: _run_flags(folder, steps, alone=False),
        ("metrics.jsonl", "result.json"),
        RUN_FILES,
        processes=2,
    ),
    "streamed": Kind(
        "experiments.train",
        lambda folder, steps: _run_flags(folder, steps, streamed=True),
        ("metrics.jsonl", "result.json"),
        RUN_FILES,
    ),
    "ablate": Kind(
        "experiments.ablate",
        lambda folder, steps: _plan_flags(folder, steps, "chaos_ablation", ABLATION),
        ("ablation.json", "statistics.json", "table.csv"),
        ("plan.json", "population.json", "*.npz", "*wave*.json", "ablation.json", "table.md"),
    ),
    "search": Kind(
        "experiments.search",
        lambda folder, steps: _plan_flags(folder, steps, "chaos_search", SEARCH),
        ("search.json",),
        ("population.json", "*.npz", "*wave*.json", "search.json"),
    ),
}
