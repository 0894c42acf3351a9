"""Train by a paper's recipe, evaluate, and say how far the error is from the published one.

  python -m experiments.reproduce --config=configs/digits/lenet5.py --workdir=runs/reproduced
  python -m experiments.reproduce --config=CONFIG --workdir=DIR --checkpoint=latest
  python -m experiments.reproduce --config=CONFIG --weights=resnet50.pth
  python -m experiments.reproduce --list
  python -m experiments.reproduce --suite=mnist --data_directory=DATA
  python -m experiments.reproduce --suite=mnist --data_directory=DATA --estimate

The same command again continues an interrupted run. With --checkpoint, or --weights, nothing is
trained. Ends with published and measured errors, inside or outside the band, and every known
deviation, in reproduction.md and reproduction.json of the run directory. --list prints every
published figure, and what came out of it in the runs below runs/, or --workdir. --suite trains all
rows of a data set with several seeds, cheapest first, and leaves suite.md, suite.json, suite.html.
Exit codes: those of experiments.train; the verdict does not change them.
"""

from __future__ import annotations

import time
from pathlib import Path

from absl import flags

from cnn_jax.config.identity import to_tree
from cnn_jax.storage.run_directory import check_directory
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line, reproduce_suite
from experiments.processes import joined, refuse
from experiments.reproduce_one import evaluated, report

BEGAN, DIVERGED = time.time(), 3
WORKDIR = flags.DEFINE_string("workdir", None, "run directory; default: runs/reproduced-<config>")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "only evaluate: latest, best or a step")
WEIGHTS = flags.DEFINE_string("weights", None, "only evaluate: torchvision's state dict, a file")
SUITE = flags.DEFINE_string("suite", None, "the data set whose published rows are all trained")
DATA = flags.DEFINE_string("data_directory", None, "of --suite: where its official files lie")
ROWS = flags.DEFINE_multi_string(
    "rows", [], "of --suite: recipes, networks or papers, with *; -NAME: without"
)
SEEDS = flags.DEFINE_integer("seeds", None, "of --suite; default: 3, of LeNet-5 5", lower_bound=1)
ESTIMATE = flags.DEFINE_bool("estimate", False, "of --suite: time a few steps of each row, and end")
PAGE = flags.DEFINE_string("page", None, "of --suite: write the table to this .md file as well")
LIST = flags.DEFINE_bool("list", False, "print every published figure and what was run for it")


def main(argv: list[str]) -> int:
    """Parses, trains or restores, judges and reports."""
    if "--list" in argv:
        command_line.parse(argv, __doc__ or "")
        from cnn_jax.diagnostics.reproduction_list import table

        print(table(directory("--workdir", WORKDIR.value or "runs", light=True, new=False)))
        return 0
    if any(word.lstrip("-").partition("=")[0] == "suite" for word in argv):
        return reproduce_suite.suite(argv, __doc__ or "")
    file, config = command_line.parse_config(argv, __doc__ or "")
    reproduce_suite.check_no_suite()
    if WEIGHTS.value and CHECKPOINT.value:
        raise command_line.InputError("--checkpoint and --weights: give one of them")
    path, _, word = file.partition(":")
    names = [*Path(path).with_suffix("").parts[-2:], word, WEIGHTS.value and "weights"]
    name = "-".join(["runs/reproduced", *filter(None, names)])
    workdir = directory("--workdir", WORKDIR.value or name)
    if WEIGHTS.value and WORKDIR.value:
        refuse(config.distributed, "--weights are kept in a --workdir by one process")
    together = joined(config.distributed, "reproduce", CHECKPOINT)
    if WEIGHTS.value or CHECKPOINT.value:
        kept = workdir if WORKDIR.value or not WEIGHTS.value else None
        with together as lead:
            found = evaluated(config, kept, CHECKPOINT.value or "", WEIGHTS.value)
            return report(file, *found, workdir, lead)
    check_directory(workdir, to_tree(config))
    with together as lead, Preemption(config.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a bad config or a signal need not wait for it.
        from cnn_jax.training.guard import DivergedError
        from cnn_jax.training.session import train

        try:
            outcome = train(config, workdir, preemption, BEGAN)
            preemption.trained()
        except PreemptionRequested:
            print(f"preempted: step {preemption.saved_step} is saved; run the same command again")
            return PREEMPTED
        except DivergedError as error:
            command_line.say(str(error))
            return DIVERGED
        return report(file, config, outcome.result, None, workdir, lead)


if __name__ == "__main__":
    command_line.run(main)
