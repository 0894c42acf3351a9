"""Train a network.

  python -m experiments.train --config=configs/digits/lenet5.py --workdir=runs/digits-lenet5

Runs until the last step, evaluates on the test split and leaves in the run directory: config.json,
parameters.txt, metrics.jsonl, tensorboard/, checkpoints/, curves.png, card.md and result.json. The
same command again continues a run that was interrupted. Any key is overridden by
--config.section.key=value.

--estimate says what the run would need, without making it: memory, arithmetic, and with
--images_per_second=500 --memory_gib=16 the hours and the largest batch. --smoke makes two steps and
an evaluation with a small form of the network on procedural images; it writes nothing.

Exit codes: 0 done; 2 bad configuration or input; 3 stopped by the guard; 75 preempted with a
checkpoint saved: run the same command again.
"""

from __future__ import annotations

import sys
import time

from absl import flags

from cnn_jax.config.identity import to_tree
from cnn_jax.storage.run_directory import check_directory
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line
from experiments.config_files import default_workdir
from experiments.processes import joined

BEGAN = time.time()
DIVERGED = 3
WORKDIR = flags.DEFINE_string(
    "workdir", None, "run directory; default: runs/<directory>-<file> of the config"
)
ESTIMATE = flags.DEFINE_bool("estimate", False, "say what the run would need, and train nothing")
SMOKE = flags.DEFINE_bool("smoke", False, "two steps in small, to see that all of it works")
IMAGES_PER_SECOND = flags.DEFINE_float("images_per_second", None, "of --estimate, for the hours")
ACCELERATOR = flags.DEFINE_string("accelerator", None, "of --estimate: h100, 8xv5e, ...")
MEMORY_GIB = flags.DEFINE_float("memory_gib", None, "of --estimate: of a device, for the batch")


def main(argv: list[str]) -> int:
    """Parses, validates, trains and reports."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    if ESTIMATE.value:
        from cnn_jax.devices.accelerators import named
        from cnn_jax.diagnostics.estimate import estimate
        from cnn_jax.training.progress import Waiting

        chosen = named(ACCELERATOR.value) if ACCELERATOR.value else None
        with Waiting("compiling the step in two sizes, to learn its memory"):
            estimated = estimate(config)
        print(estimated.describe(IMAGES_PER_SECOND.value, MEMORY_GIB.value))
        if chosen is not None:
            print(estimated.on(*chosen))
        return 0
    if SMOKE.value:
        from cnn_jax.diagnostics.smoke import describe, smoke

        print(describe(smoke(config)))
        return 0
    workdir = directory("--workdir", WORKDIR.value or default_workdir(config_file))
    check_directory(workdir, to_tree(config))
    together = joined(config.distributed, "train")
    with together, Preemption(config.checkpoint.grace_seconds) as preemption:
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
            print(outcome.describe(), flush=True)
    return 0


if __name__ == "__main__":
    command_line.run(main)
