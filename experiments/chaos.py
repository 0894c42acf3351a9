"""Kill a run at random moments and hold its end against a run that was left alone.

  python -m experiments.chaos --kills=20 --processes=1 --steps=60000 --workdir=runs/chaos-1
  python -m experiments.chaos --kills=20 --processes=2 --longest=25 --workdir=runs/chaos-2

SIGKILL or SIGTERM is sent to a random process while it starts, compiles, trains, evaluates or
saves; the same command is then run again. In the end parameters, optimizer state and log must be
those of the run left alone, bit for bit. Exit code 1 if they are not.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from experiments import command_line

KILLS = flags.DEFINE_integer("kills", 20, "how many", lower_bound=1)
PROCESSES = flags.DEFINE_integer("processes", 1, "processes of the run", lower_bound=1)
LONGEST = flags.DEFINE_float("longest", 12.0, "latest moment of a kill, seconds after the start")
SEED = flags.DEFINE_integer("seed", 0, "of the moments")
STEPS = flags.DEFINE_integer("steps", 4000, "length of the run", lower_bound=1)
WORKDIR = flags.DEFINE_string("workdir", "runs/chaos", "where both runs go; must be new")
EXAMPLES, BATCH = 50, 8


def main(argv: list[str]) -> int:
    """Parses, trains one run alone, torments another and prints the verdict."""
    if command_line.parse(argv, __doc__ or ""):
        raise command_line.InputError("chaos takes flags only")
    workdir = Path(WORKDIR.value)
    if workdir.exists():
        raise command_line.InputError(f"--workdir={workdir} exists; choose a new one")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.diagnostics.chaos import compare, torment

    alone, tormented = workdir / "alone", workdir / "tormented"
    subprocess.run(train(alone), check=True, capture_output=True)
    began = time.monotonic()
    rng = random.Random(SEED.value)
    chaos = torment(train(tormented), tormented, KILLS.value, LONGEST.value, rng)
    compare(chaos, tormented, alone, EXAMPLES)
    print(
        f"{'the same run' if chaos.passed else 'NOT the same run'} after {KILLS.value} kills of "
        f"{PROCESSES.value} process(es) in {time.monotonic() - began:.0f} s\n"
        f"  signals: {dict(chaos.signals)}\n  moments: {dict(chaos.phases)}\n"
        f"  exit codes of the interrupted starts: {dict(chaos.codes)}\n"
        f"  final arrays equal, bit for bit: {chaos.same_arrays}\n"
        f"  metrics.jsonl equal, byte for byte: {chaos.same_log}\n"
        f"  examples lost or repeated: {chaos.lost}\n"
        f"  unreadable checkpoints: {chaos.unreadable}"
    )
    return 0 if chaos.passed else 1


def train(workdir: Path) -> list[str]:
    """Returns the command that trains a small network, with everything random switched on."""
    keys = {
        "data.source": "synthetic",
        "data.kwargs.train": EXAMPLES + 10,
        "data.kwargs.test": 17,
        "data.kwargs.size": 10,
        "data.validation_folds": 6,
        "data.shift_pixels": 1.0,
        "data.flip": True,
        "model.kwargs.norm": "batch",
        "model.kwargs.dropout_rate": 0.3,
        "train.epochs": STEPS.value * BATCH / EXAMPLES,
        "train.batch_size": BATCH,
        "train.chunk_steps": 5,
        "evaluation.batch_size": BATCH,
        # One process makes a thousand steps a second, several that talk by gloo some twenty.
        "evaluation.every_epochs": 32.0 if PROCESSES.value == 1 else 4.0,
        "checkpoint.every_epochs": 128.0 if PROCESSES.value == 1 else 8.0,
        "log.example_ids": True,
        "log.every_steps": 1,
    }
    overrides = [f"--config.{key}={value}" for key, value in keys.items()]
    command = [sys.executable, "-m", "experiments.train", "--config=configs/smoke.py"]
    command += [*overrides, f"--workdir={workdir}"]
    if PROCESSES.value == 1:
        return command
    launcher = [sys.executable, "-m", "experiments.launch.local", f"--processes={PROCESSES.value}"]
    return [*launcher, "--devices_per_process=1", "--heartbeat_seconds=10", "--", *command]


if __name__ == "__main__":
    command_line.run(main)
