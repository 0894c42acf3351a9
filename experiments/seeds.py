"""Train one config with several seeds and report the spread of its errors.

  python -m experiments.seeds --config=configs/digits/lenet5.py --seeds=10 --workdir=runs/seeds
  python -m experiments.seeds --config=configs/digits/lenet5.py --seeds=5 --ensemble

Seed k sets seed.init, seed.data and seed.dropout to k. Every member is a run of its own below the
run directory: the same command again continues where it was interrupted, and trains nothing twice.
--ensemble averages the probabilities of the members, and sets its error beside theirs; by other
protocols, or of other runs: python -m experiments.evaluate with several --workdir.
"""

from __future__ import annotations

import time
from pathlib import Path

from absl import flags

from cnn_jax import files
from cnn_jax.config.changes import changed
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.validate import validate
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line
from experiments.processes import joined, refuse

DIVERGED = 3
WORKDIR = flags.DEFINE_string("workdir", None, "of all runs; default: runs/seeds-<config>")
ENSEMBLE_ALONE = (
    "--ensemble is evaluated by one process: leave it out here, and add it to the same command on "
    "one host, which trains nothing again"
)
SEEDS = flags.DEFINE_integer("seeds", 10, "how many seeds, counted from 0", lower_bound=1)
ENSEMBLE = flags.DEFINE_bool("ensemble", False, "also evaluate the members together")


def main(argv: list[str]) -> int:
    """Parses, trains every seed and prints the table."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    if ENSEMBLE.value:
        refuse(config.distributed, ENSEMBLE_ALONE)
    stem, results = Path(config_file.partition(":")[0]).stem, []
    workdir = directory("--workdir", WORKDIR.value or f"runs/seeds-{stem}")
    together = joined(config.distributed, "seeds", SEEDS)
    with together as lead, Preemption(config.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a bad config need not wait for it.
        from cnn_jax.training.guard import DivergedError
        from cnn_jax.training.session import train

        try:
            for seed in range(SEEDS.value):
                print(f"\nseed {seed}, {seed + 1} of {SEEDS.value}", flush=True)
                preemption.saved_step = None
                member, place = with_seed(config, seed), workdir / f"seed-{seed}"
                outcome = train(member, place, preemption, time.time())
                results.append(outcome.result | {"seed": seed})
            preemption.trained()
        except PreemptionRequested:
            print(f"preempted in seed {seed}; run the same command again")
            return PREEMPTED
        except DivergedError as error:
            command_line.say(f"seed {seed}: {error}")
            return DIVERGED
        from cnn_jax.inference.reports import seeds_table

        table = seeds_table(results, config_hash(to_tree(config)))
        if ENSEMBLE.value:
            table += ensemble_of([workdir / f"seed-{seed}" for seed in range(SEEDS.value)])
        print(f"\n{table}", flush=True)
        if not lead:
            return 0
        files.write_text(workdir / "table.md", table)
        files.write_json(workdir / "seeds.json", results)
    print(f"written to {workdir}/table.md and seeds.json")
    return 0


def with_seed(config: command_line.Config, seed: int) -> command_line.Config:
    """Returns the config with all three seeds set."""
    return validate(changed(config, {f"seed.{name}": seed for name in ("init", "data", "dropout")}))


def ensemble_of(runs: list[Path]) -> str:
    """Returns the errors of finished runs, and of all of them together, in markdown."""
    from cnn_jax.inference.multi_view import predict_split
    from cnn_jax.inference.reports import ensemble_table
    from cnn_jax.inference.restored import restore

    members = {}
    for run in runs:
        restored = restore(run)
        size = restored.config.evaluation.batch_size
        members[run.name] = predict_split(restored, "test", "centre", {}, size)
    return ensemble_table(members)


if __name__ == "__main__":
    command_line.run(main)
