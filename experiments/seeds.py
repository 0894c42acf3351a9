"""Train one config with several seeds and report the spread of its test error.

  python -m experiments.seeds --config=configs/digits/lenet5.py --seeds=10 --workdir=runs/seeds

Seed k sets seed.init, seed.data and seed.dropout to k. Every member is a run of its own below the
run directory: the same command again continues where it was interrupted, and trains nothing twice.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from absl import flags

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.validate import validate
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line

WORKDIR = flags.DEFINE_string(
    "workdir", None, "directory of all runs; default: runs/seeds-<config>"
)
SEEDS = flags.DEFINE_integer("seeds", 10, "how many seeds, counted from 0", lower_bound=1)


def main(argv: list[str]) -> int:
    """Parses, trains every seed and prints the table."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    workdir = Path(WORKDIR.value or f"runs/seeds-{Path(config_file.partition(':')[0]).stem}")
    results = []
    with Preemption(config.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a bad config need not wait for it.
        from cnn_jax.training.session import train

        for seed in range(SEEDS.value):
            preemption.saved_step = None
            try:
                outcome = train(
                    with_seed(config, seed), workdir / f"seed-{seed}", preemption, time.time()
                )
            except PreemptionRequested:
                print(f"preempted in seed {seed}; run the same command again")
                return PREEMPTED
            results.append(outcome.result | {"seed": seed})
    table = render(results, config_hash(to_tree(config)))
    (workdir / "table.md").write_text(table)
    (workdir / "seeds.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\n{table}\nwritten to {workdir}/table.md and seeds.json")
    return 0


def with_seed(config: command_line.FrozenConfigDict, seed: int) -> command_line.FrozenConfigDict:
    """Returns the config with all three seeds set."""
    changed = command_line.ConfigDict(config)
    for name in ("init", "data", "dropout"):
        changed.seed[name] = seed
    return validate(changed)


def render(results: list[dict], hashed: str) -> str:
    """Returns the table of the members and its summary, in markdown."""
    lines = ["| seed | test accuracy, % | top-5 error, % | n |", "|---:|---:|---:|---:|"]
    for r in results:
        accuracy, top5 = 100 * (1 - r["top1_error"]), 100 * r["top5_error"]
        lines.append(f"| {r['seed']} | {accuracy:.2f} | {top5:.2f} | {r['n']}/{r['n']} |")
    accuracies = [100 * (1 - r["top1_error"]) for r in results]
    spread = f", standard deviation {statistics.stdev(accuracies):.2f}" if len(results) > 1 else ""
    lines.append(
        f"\nMedian {statistics.median(accuracies):.2f} %, lowest {min(accuracies):.2f} %, "
        f"highest {max(accuracies):.2f} %{spread}, {len(results)} seeds, "
        f"{results[0]['step']} steps each; config {hashed} at seed 0."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    command_line.run(main)
