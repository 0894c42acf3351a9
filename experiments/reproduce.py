"""Train by a paper's recipe, evaluate, and say how far the error is from the published one.

  python -m experiments.reproduce --config=configs/digits/lenet5.py --workdir=runs/reproduced
  python -m experiments.reproduce --config=CONFIG --workdir=DIR --checkpoint=latest
  python -m experiments.reproduce --config=CONFIG --weights=resnet50.pth
  python -m experiments.reproduce --list

The same command again continues an interrupted run. With --checkpoint, or --weights, nothing is
trained. Ends with published and measured errors, inside or outside the band, and every known
deviation, in reproduction.md and reproduction.json of the run directory. --list prints every
published figure, and what came out of it in the runs below runs/, or --workdir.
Exit codes: those of experiments.train; the verdict does not change them.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.identity import to_tree
from cnn_jax.config.validate import validate
from cnn_jax.storage.run_directory import RunDirectory, check_directory, origin
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line
from experiments.command_line import Config

BEGAN, DIVERGED = time.time(), 3
WORKDIR = flags.DEFINE_string("workdir", None, "run directory; default: runs/reproduced-<config>")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "only evaluate: latest, best or a step")
WEIGHTS = flags.DEFINE_string("weights", None, "only evaluate: torchvision's state dict, a file")
LIST = flags.DEFINE_bool("list", False, "print every published figure and what was run for it")


def main(argv: list[str]) -> int:
    """Parses, trains or restores, judges and reports."""
    if "--list" in argv:
        command_line.parse(argv, __doc__ or "")
        from cnn_jax.diagnostics.reproduction_list import table

        print(table(Path(WORKDIR.value or "runs")))
        return 0
    file, config = command_line.parse_config(argv, __doc__ or "")
    if WEIGHTS.value and CHECKPOINT.value:
        raise command_line.InputError("--checkpoint and --weights: give one of them")
    path, _, word = file.partition(":")
    names = [*Path(path).with_suffix("").parts[-2:], word, WEIGHTS.value and "weights"]
    workdir = Path(WORKDIR.value or "-".join(["runs/reproduced", *filter(None, names)]))
    if WEIGHTS.value or CHECKPOINT.value:
        return report(file, *evaluated(config, workdir), workdir)
    check_directory(workdir, to_tree(config))
    with Preemption(config.checkpoint.grace_seconds) as preemption:
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
        return report(file, config, outcome.result, None, workdir) if outcome.lead else 0


def evaluated(config: Config, workdir: Path) -> tuple[Any, dict[str, Any], Any]:
    """Returns config, result and network of a checkpoint, or of weights out of a file."""
    from cnn_jax.diagnostics.measurement import measure
    from cnn_jax.inference.trained_network import WeightsUse, trained_network

    kept = WORKDIR.value if WEIGHTS.value else workdir
    use = WeightsUse(None, None, config.data.directory, True, command_line.say)
    restored = trained_network(kept, CHECKPOINT.value or "", WEIGHTS.value, config, use)
    return restored.config, measure(restored, config.evaluation.batch_size), restored


def report(file: str, config: Config, result: dict[str, Any], restored: Any, workdir: Path) -> int:
    """Evaluates by further protocols, prints the verdict and writes it into the run directory."""
    from cnn_jax.diagnostics import measurement, recognised_data, reproduction

    as_in_file = validate(fill_defaults(command_line.load_config_file(file)))
    known = recognised_data.recognised(config)
    others = measurement.measure_others(file, config, workdir, restored, known.name)
    verdict = reproduction.judge(file, as_in_file, config, result, others, known)
    print(f"\n{verdict.markdown()}\nkept in {workdir}: reproduction.md and .json", flush=True)
    with closing(RunDirectory(workdir)) as directory:
        directory.write_text("reproduction.md", verdict.markdown())
        directory.write("reproduction.json", verdict.to_tree() | origin())
    return 0


if __name__ == "__main__":
    command_line.run(main)
