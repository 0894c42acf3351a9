"""Train a network.

  python -m experiments.train --config=configs/digits/lenet5.py --workdir=runs/digits-lenet5

Runs until the last step, evaluates on the test split and leaves in the run directory: config.json,
parameters.txt, metrics.jsonl, tensorboard/, checkpoints/, curves.png, card.md and result.json. The
same command again continues a run that was interrupted. Any key is overridden by
--config.section.key=value.

Exit codes: 0 done; 2 bad configuration or input; 3 stopped by the guard; 75 preempted with a
checkpoint saved: run the same command again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from absl import flags

from cnn_jax.config.identity import to_tree
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from cnn_jax.training.run_directory import check_directory
from experiments import command_line

BEGAN = time.time()
DIVERGED = 3
WORKDIR = flags.DEFINE_string(
    "workdir", None, "run directory; default: runs/<directory>-<file> of the config"
)


def main(argv: list[str]) -> int:
    """Parses, validates, trains and reports."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    workdir = Path(WORKDIR.value or default_workdir(config_file))
    check_directory(workdir, to_tree(config))
    if config.distributed.detect or config.distributed.coordinator:
        # Before the signals: a handler installed earlier would never run.
        from cnn_jax.training import distributed

        distributed.start(config.distributed)
    with Preemption(config.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a bad config or a signal need not wait for it.
        from cnn_jax.training.guard import DivergedError
        from cnn_jax.training.session import train

        try:
            outcome = train(config, workdir, preemption, BEGAN)
        except PreemptionRequested:
            step = preemption.saved_step
            print(f"preempted: step {step} is saved in {workdir}; run the same command again")
            return PREEMPTED
        except DivergedError as error:
            print(error, file=sys.stderr)
            return DIVERGED
    if outcome.lead:
        report(outcome.directory, outcome.result, outcome.fresh)
    return 0


def default_workdir(config_file: str) -> str:
    """Returns `runs/digits-lenet5` for `configs/digits/lenet5.py`."""
    path = Path(config_file.partition(":")[0])
    return str(Path("runs") / f"{path.parent.name}-{path.stem}")


def report(directory: Path, result: dict, fresh: bool) -> None:
    """Prints what was reached and where everything lies."""
    from cnn_jax.evaluation.exact import counted

    print(
        f"{'done' if fresh else 'finished before; nothing was trained'}: step {result['step']}, "
        f"epoch {result['epoch']:g}, {result['seconds']:.1f} s, "
        f"{result['images_per_second']:,.0f} images/s\n"
        f"test: top-1 error {100 * result['top1_error']:.2f} %, "
        f"top-5 error {100 * result['top5_error']:.2f} %, {counted(result)}\n"
        f"{averaged_errors(result)}everything lies in {directory}/\n"
        "  result.json    the figures above      curves.png   loss and error\n"
        "  metrics.jsonl  every logged step      tensorboard/ the same as events\n"
        "  config.json    the config             checkpoints/ newest and best\n"
        "  parameters.txt decay and multipliers  card.md      what this run was"
    )


def averaged_errors(result: dict) -> str:
    """Returns a line on the averaged parameters; nothing where none were kept."""
    if "averaged_loss" not in result:
        return ""
    top1, top5 = (100 * result[f"averaged_{name}_error"] for name in ("top1", "top5"))
    return f"averaged parameters: top-1 error {top1:.2f} %, top-5 error {top5:.2f} %\n"


if __name__ == "__main__":
    command_line.run(main)
