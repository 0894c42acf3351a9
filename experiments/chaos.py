"""Kill a run again and again, and hold its end against a run that was left alone.

  python -m experiments.chaos --kind=train --kills=20 --steps=60000 --workdir=runs/chaos-train
  python -m experiments.chaos --kind=two --kills=20 --steps=12000 --longest=25 --workdir=runs/two
  python -m experiments.chaos --table=runs/chaos-train --table=runs/two

Kinds: train, two (processes), streamed (images from files), ablate, search. Half of the times a
signal comes at a random moment, to a random process, the launcher included; else the run ends in
the writing of a file: before it has its name, after, or because the disk is full. So it does in its
last second, too. The same command is then run again. In the end parameters, optimizer state, log
and results must be those of the run left alone, bit for bit; what the clock decides is left out.
Exit code 1 if they are not. --table prints what several have shown.
"""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

from absl import flags

from cnn_jax.config.addresses import refuse_addresses
from experiments import command_line

KIND = flags.DEFINE_string("kind", "train", "train, two, streamed, ablate or search")
KILLS = flags.DEFINE_integer("kills", 20, "how many, before those in the last second")
LONGEST = flags.DEFINE_float("longest", 12.0, "latest moment of a kill, seconds after the start")
SEED = flags.DEFINE_integer("seed", 0, "of the moments")
STEPS = flags.DEFINE_integer("steps", 4000, "length of the run", lower_bound=1)
WORKDIR = flags.DEFINE_string("workdir", "runs/chaos", "where both runs go; must be new")
TABLE = flags.DEFINE_multi_string(
    "table", [], "print the table of this directory; several: those of one kind are added up"
)


def main(argv: list[str]) -> int:
    """Parses, trains one run alone, torments another and prints the verdict."""
    if command_line.parse(argv, __doc__ or ""):
        raise command_line.InputError("chaos takes flags only")
    refuse_addresses([("--workdir", WORKDIR.value)])
    workdir = Path(WORKDIR.value)
    if not TABLE.value and workdir.exists():
        raise command_line.InputError(f"--workdir={workdir} exists; choose a new one")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.config.problems import hint
    from cnn_jax.diagnostics.chaos import compare, report, table, torment
    from cnn_jax.diagnostics.chaos_kinds import KINDS
    from cnn_jax.training.progress import Waiting

    if TABLE.value:
        print(table([Path(run) for run in TABLE.value]))
        return 0
    if KIND.value not in KINDS:
        raise command_line.InputError(f"--kind={KIND.value}: unknown{hint(KIND.value, KINDS)}")
    kind, alone, tormented = KINDS[KIND.value], workdir / "alone", workdir / "tormented"
    workdir.mkdir(parents=True)
    with Waiting("the run that is left alone"):
        subprocess.run(kind.command(alone, STEPS.value), check=True, capture_output=True)
    began = time.monotonic()
    rng = random.Random(SEED.value)
    chaos = torment(kind, tormented, STEPS.value, KILLS.value, LONGEST.value, rng)
    chaos.kind, chaos.seconds = KIND.value, time.monotonic() - began
    compare(chaos, kind, tormented, alone)
    report(chaos, workdir / "chaos.json")
    return 0 if chaos.passed else 1


if __name__ == "__main__":
    command_line.run(main)
