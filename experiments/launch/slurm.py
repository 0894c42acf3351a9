r"""Launch a run under Slurm: prints the batch script, and with --submit hands it to sbatch.

  python -m experiments.launch.slurm --nodes=2 --gpus_per_node=8 --time=24:00:00 -- \
      python -m experiments.train --config=configs/imagenet/resnet.py:50 --workdir=/shared/runs/50

One task a GPU: jax takes the number of the task on its node for the number of its GPU, so every
task must see all GPUs of the node (one task a node would see the first alone, and --gpus-per-task
would hide the others). The tasks are told to stop ahead of the time limit, save, and end with code
75; the script, which is never inside of the container, then queues the job again. A job that was
cancelled stays so.

Every line of the output file has the number of its task. No cluster was at hand when this was
written: the script is tested with stand-ins for srun and scontrol.
"""

from __future__ import annotations

import re
import shlex
import subprocess

from absl import flags

from cnn_jax.config.problems import InputError
from experiments import command_line
from experiments.launch import launched_command
from experiments.launch.slurm_time import seconds

NODES = flags.DEFINE_integer("nodes", 1, "how many nodes", lower_bound=1)
GPUS = flags.DEFINE_integer("gpus_per_node", 1, "GPUs of a node; as many tasks", lower_bound=1)
CPUS = flags.DEFINE_integer("cpus_per_task", None, "cores of a task; else Slurm's", lower_bound=1)
TIME = flags.DEFINE_string("time", "24:00:00", "limit of one stay: minutes, h:m:s, d-h:m:s")
NAME = flags.DEFINE_string("name", None, "of the job; default: as the config file")
PARTITION = flags.DEFINE_string("partition", None, "of the cluster")
ACCOUNT = flags.DEFINE_string("account", None, "that pays")
QOS = flags.DEFINE_string("qos", None, "quality of service")
OPTION = flags.DEFINE_multi_string("option", [], "another of sbatch, as --option=--mem=0")
SETUP = flags.DEFINE_string("setup", None, "file of shell lines that the script runs first")
CONTAINER = flags.DEFINE_string("container", None, "image, by pyxis' srun --container-image")
INSIDE = flags.DEFINE_string("container_workdir", None, "in the container, where the command runs")
MOUNTS = flags.DEFINE_string("mounts", None, "of the container: source:target,...")
LEAD = flags.DEFINE_integer(
    "lead_seconds",
    None,
    "SIGTERM so long before the limit; default: checkpoint.grace_seconds + 100",
    lower_bound=1,
    upper_bound=65535,
)
SUBMIT = flags.DEFINE_bool("submit", False, "hand the script to sbatch")
EXAMPLE = (
    "python -m experiments.launch.slurm --nodes=2 --gpus_per_node=8 -- "
    "python -m experiments.train --config=configs/smoke.py --workdir=runs/two"
)
OTHERS_GET = 300  # seconds that tasks get after the first has ended: it may write the last tables
MADE_HERE = (
    *("job-name", "nodes", "ntasks", "gres", "gpus", "time", "signal", "requeue", "no-requeue"),
    *("output", "open-mode"),
)
SCRIPT = """\
#!/bin/bash
{options}
set -e
{setup}
code=0
# All tasks save together and end with 75: none is killed because another has ended first.
{run} || code=$?
if [ "$code" -ne 75 ]; then
  exit "$code"
fi
# Preempted with a checkpoint. What was cancelled, or requeued by Slurm itself, is not RUNNING now.
state=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T || true)
case "$state" in
  "" | RUNNING) ;;
  *)
    echo "preempted with a checkpoint; the job is $state, and not queued again from here"
    exit 75
    ;;
esac
if ! command -v scontrol > /dev/null; then
  echo "preempted with a checkpoint; scontrol is not found here, so queue the job again from" \\
    "outside: scontrol requeue $SLURM_JOB_ID" >&2
  exit 75
fi
echo "preempted with a checkpoint: queued again"
scontrol requeue "$SLURM_JOB_ID"
"""


def main(argv: list[str]) -> int:
    """Parses, checks, and prints or submits."""
    command = launched_command.split_off(argv, __doc__ or "", EXAMPLE)
    if SUBMIT.value:
        launched_command.needs("sbatch", "it is there on the login nodes of a Slurm cluster")
    text = script(launched_command.checked(command, NODES.value * GPUS.value))
    if not SUBMIT.value:
        print(text, end="")
        command_line.say("this is printed only; the same with --submit hands it to sbatch")
        return 0
    # The script comes by its standard input.
    return 2 if subprocess.run(["sbatch"], input=text, text=True).returncode else 0


def script(launched: launched_command.Launched) -> str:
    """Returns the batch script.

    Raises:
        InputError: a flag has a value that cannot be used.
    """
    for flag in (PARTITION, ACCOUNT, QOS, CONTAINER, MOUNTS, INSIDE):
        launched_command.one_word(flag.name, flag.value)
    if (MOUNTS.value or INSIDE.value) and not CONTAINER.value:
        of = "--mounts" if MOUNTS.value else "--container_workdir"
        raise InputError(f"{of} goes with --container=IMAGE, which is not given")
    lead = launched_command.lead(launched.grace_seconds, LEAD.value)
    limit = seconds(TIME.value)
    if 0 < limit <= lead:
        raise InputError(
            f"--time={TIME.value} is {limit} s, and the run is told to stop {lead} s before its "
            "end: nothing would be trained"
        )
    name = launched_command.named(NAME.value, launched)
    options = [
        f"--job-name={name}",
        f"--nodes={NODES.value}",
        f"--ntasks-per-node={GPUS.value}",
        f"--gres=gpu:{GPUS.value}",
        *([f"--cpus-per-task={CPUS.value}"] if CPUS.value else []),
        f"--time={TIME.value}",
        # Without B: it is the tasks that hear it, and not this script, which it would end.
        f"--signal=TERM@{lead}",
        "--requeue",
        "--open-mode=append",
        f"--output={name}-%j.out",
        *(f"--{f.name}={f.value}" for f in (PARTITION, ACCOUNT, QOS) if f.value),
        *map(further, OPTION.value),
    ]
    run = [
        *("srun", "--label", "--kill-on-bad-exit=0", f"--wait={OTHERS_GET}"),
        # Since 22.05 srun does not inherit it.
        *([f"--cpus-per-task={CPUS.value}"] if CPUS.value else []),
        *([f"--container-image={CONTAINER.value}"] if CONTAINER.value else []),
        *([f"--container-mounts={MOUNTS.value}"] if MOUNTS.value else []),
        *([f"--container-workdir={INSIDE.value}"] if INSIDE.value else []),
        *launched.words,
    ]
    setup = launched_command.lines_of(SETUP.value)
    return SCRIPT.format(
        options="\n".join(f"#SBATCH {option}" for option in options),
        setup=setup if setup else "# --setup=FILE puts shell lines here",
        run=shlex.join(run),
    )


def further(option: str) -> str:
    """Returns an option of sbatch that is given as it is.

    Raises:
        InputError: it is none, or one that is set here.
    """
    name = option.removeprefix("--").partition("=")[0]
    if not re.fullmatch(r"--[a-z][a-z-]*(=[\w.:@/,=+%*\[\]()&|-]*)?", option, re.ASCII):
        raise InputError(f"--option={option!r}: give one of sbatch, as in --option=--mem=0")
    if name.startswith(MADE_HERE):
        raise InputError(f"--option={option}: --{name} is set by the launcher's own flags")
    return option


if __name__ == "__main__":
    command_line.run(main)
