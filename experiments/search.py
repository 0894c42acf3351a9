"""Search for good values of some config keys: at random, coarse to fine, judged on validation.

  python -m experiments.search --config=configs/searches/digits_lenet5.py --workdir=runs/search

The file names a base config, a range for each key (log-uniform, uniform or a choice) and stages:
many short trials first; the best of them span the ranges of the next, longer ones. A trial whose
loss explodes stops early (guard.explosion_factor). Ends with the best trials and the command that
trains with the best values, in a directory beside the stages; all trials are in search.json and in
search.png. With --folds=5 each trial is trained five times, each with another fold of train held
out, and judged by the mean. With --halving=3 a third of the trials goes on from each of some rungs,
the best on validation; the others stop early. Validation chooses; the test error of the best trial
alone is reported, at the end. The same command again continues an interrupted search.
--config.section.key=value overrides a key of the base.

Exit codes: 0 done; 2 bad search or input; 3 all trials of a stage diverged; 75 preempted: run the
same command again.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from absl import flags

from cnn_jax.ablation import strategies
from cnn_jax.ablation.search import check, run_search
from cnn_jax.ablation.search_report import report
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.search import Search
from cnn_jax.config.validate import validate
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line
from experiments.config_files import made_by
from experiments.plan_bases import near
from experiments.processes import asked_for, joined

DIVERGED = 3
WORKDIR = flags.DEFINE_string("workdir", None, "its directory; default: runs/search-<file>")
FOLDS = flags.DEFINE_integer("folds", None, "in place of the file's number", lower_bound=1)
HALVING = flags.DEFINE_integer("halving", None, "in place of the file's number", lower_bound=1)
STRATEGY = flags.DEFINE_string("strategy", strategies.AUTO, "how trials share the machine")


def main(argv: list[str]) -> int:
    """Parses, checks every range, runs the stages and reports."""
    file, search = command_line.parse_plan(argv, __doc__ or "", Search)
    search.folds = FOLDS.value or search.folds
    search.halving = HALVING.value or search.halving
    strategies.check(STRATEGY.value)
    start = check(search)
    name = Path(file.partition(":")[0]).stem
    workdir = directory("--workdir", WORKDIR.value or f"runs/search-{name}")
    together = joined(start.distributed, "search", STRATEGY, FOLDS, HALVING)
    with together as lead, Preemption(start.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a broken range or a signal need not wait for it.
        from cnn_jax.ablation.population import train_members
        from cnn_jax.ablation.search_picture import draw_search
        from cnn_jax.devices.parallel_members import simulate_cpu_devices
        from cnn_jax.training.progress import Waiting

        if not asked_for(start.distributed):
            simulate_cpu_devices()

        train = partial(train_members, strategy=STRATEGY.value, preemption=preemption)
        try:
            rounds = run_search(search, workdir, train)
            preemption.trained()
        except PreemptionRequested:
            print(f"preempted: what is trained is saved in {workdir}; run the same command again")
            return PREEMPTED
        base = made_by(file, Search).base
        overrides = [f"--config.{key}={text}" for key, text in command_line.split(argv).overrides]
        named = near(base, file) if isinstance(base, str) else ""
        tables, command = report(rounds, named, overrides, workdir)
        print("\n" + "\n\n".join(table.text() for table in tables), flush=True)
        if lead:
            hashed = config_hash(to_tree(validate(start)))
            with Waiting("drawing the trials"):
                draw_search(rounds, f"{workdir.name}: every trial", workdir / "search.png", hashed)
    if command is None:
        print("all trials of the last stage diverged", file=sys.stderr)
        return DIVERGED
    if not lead:
        return 0
    how = "" if named else f", with the base that {file} builds,"
    print(
        f"\nevery trial is in {workdir}/search.json and search.png; to train with the best values, "
        f"as long as the best trial was, on all data of the base{how}:\n{command}"
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
