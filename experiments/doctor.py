"""Look at machines, network and disks before a run waits hours for them.

  python -m experiments.doctor --config=configs/digits/lenet5.py --workdir=runs/digits-lenet5
  python -m experiments.launch.local --processes=2 -- \
      python -m experiments.doctor --config=configs/smoke.py --workdir=runs/two

A line for each check, with its remedy: whether the processes of config.distributed meet, and have
the same versions, config, devices and data; who else holds an accelerator; memory; the run
directory, written and read by all; room for the checkpoints; whether one is written between a
signal and the end; clocks; a sum over all devices. It is over in a minute, trains nothing and
leaves nothing behind. Give it the config and the flags of the run, on every host; without --config
it takes configs/smoke.py.

Exit codes: 0 nothing is wrong; 2 something is, or the config is bad.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from absl import flags

from experiments import command_line
from experiments.config_files import default_workdir
from experiments.launch.launched_command import lead

WORKDIR = flags.DEFINE_string("workdir", None, "of the run; default: as experiments.train")
LEAD = flags.DEFINE_float(
    "lead_seconds", None, "between SIGTERM and the end; default: as experiments.launch has it"
)
SMOKE = Path(__file__).parent.parent / "configs" / "smoke.py"


def main(argv: list[str]) -> int:
    """Parses, examines and prints the table."""
    if not command_line.HELP & set(argv) and not command_line.split(argv).files:
        argv = [*argv, f"--config={SMOKE}"]
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    workdir = WORKDIR.value or default_workdir(config_file)
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax.devices.leaving import leave
    from cnn_jax.diagnostics.doctor.examination import examine
    from cnn_jax.diagnostics.doctor.finding import table
    from cnn_jax.diagnostics.levels import FAIL, worst

    ahead = LEAD.value if LEAD.value is not None else lead(config.checkpoint.grace_seconds, None)
    try:
        examined = examine(config, workdir, ahead)
    except Exception as error:
        leave(error)  # the others would wait for this process
        raise
    if examined.lead:
        print(table(examined.findings, colours=sys.stdout.isatty()), flush=True)
    code = 2 if worst(examined.findings) == FAIL else 0
    if examined.stuck:
        os._exit(code)
    return code


if __name__ == "__main__":
    command_line.run(main)
