r"""Launch a run on TPU VMs: prints a script of gcloud commands, and with --submit runs it.

  python -m experiments.launch.tpu --zone=us-central2-b --accelerator=v4-32 \
      --runtime=tpu-ubuntu2204-base --spot --setup=setup.sh -- \
      python -m experiments.train --config=configs/imagenet/resnet.py:50 --workdir=gs://bucket/runs/50

The script asks for a queued resource, waits for it, runs --setup on every host, then the command on
all of them at once, in --directory. What Google takes back is asked for again, and the same command
goes on from its checkpoint; in the end the resource is deleted. A run that the guard has stopped
ends it; other failures are tried again, --failures times at most.

The script goes on as long as the run does: let it run where it may, as under tmux. When it is lost
the run is not, and the same command looks after it again; the resource costs money until then.

The disks of the hosts go with them: the run directory must lie elsewhere, in a bucket, or mounted
on every host by --setup. No TPU was at hand when this was written: the script is tested with a
stand-in for gcloud.
"""

from __future__ import annotations

import os
import shlex
import sys

from absl import flags

from cnn_jax.config.addresses import is_address
from cnn_jax.config.problems import InputError
from experiments import command_line
from experiments.launch import launched_command

NAME = flags.DEFINE_string("name", None, "of the queued resource; default: as the config file")
ZONE = flags.DEFINE_string("zone", None, "as us-central2-b")
PROJECT = flags.DEFINE_string("project", None, "of Google Cloud; default: that of gcloud")
ACCELERATOR = flags.DEFINE_string("accelerator", None, "type and size, as v4-32 or v5litepod-16")
RUNTIME = flags.DEFINE_string("runtime", None, "software of the hosts, as tpu-ubuntu2204-base")
SLICES = flags.DEFINE_integer("slices", 1, "so many of them, as one run", lower_bound=1)
SPOT = flags.DEFINE_bool("spot", False, "cheaper, and taken back at any time")
SETUP = flags.DEFINE_string("setup", None, "file of shell lines, run on every new host")
DIRECTORY = flags.DEFINE_string("directory", "cnn_jax", "on the hosts, where the command runs")
FAILURES = flags.DEFINE_integer("failures", 3, "tries after failures of other kinds", lower_bound=0)
POLL = flags.DEFINE_integer("poll_seconds", 30, "between looks at the state", lower_bound=0)
KEEP = flags.DEFINE_bool("keep", False, "do not delete the resource in the end")
SUBMIT = flags.DEFINE_bool("submit", False, "run the script here")
EXAMPLE = (
    "python -m experiments.launch.tpu --zone=us-central2-b --accelerator=v4-32 "
    "--runtime=tpu-ubuntu2204-base -- "
    "python -m experiments.train --config=configs/smoke.py --workdir=/mnt/runs/smoke"
)
SCRIPT = """\
#!/bin/bash
failures=0
fresh=yes
errors=$(mktemp)

tpus() {{ gcloud compute tpus queued-resources "$@" {where} --quiet < /dev/null; }}
# Without --batch-size=all gcloud begins on 64 hosts, and the others after these have ended.
on_all() {{ tpus ssh {name} --node=all --worker=all --batch-size=all --command="$1"; }}
say() {{ echo "{name}: $1" >&2; }}

state() {{ # nothing where it cannot be seen, as without a network
  tpus describe {name} --format='value(state.state)' 2> "$errors" ||
    if grep -q NOT_FOUND "$errors"; then echo ABSENT; fi
}}

create() {{
  say "asked for"
  fresh=yes
  tpus create {name} {resource}
}}

delete() {{ tpus delete {name} --force; }}

finish() {{
  {at_the_end}
  exit "$1"
}}

failed() {{
  failures=$((failures + 1))
  say "$1: failure $failures; {failures} are tried again"
  if [ "$failures" -gt {failures} ]; then finish "$2"; fi
  sleep {poll}
}}

wait_until_active() {{
  local now before=""
  while :; do
    now=$(state)
    if [ "$now" != "$before" ]; then say "${{now:-cannot be seen from here}}"; fi
    before=$now
    case "$now" in
      ACTIVE) return ;;
      SUSPENDED) delete; create || failed "cannot be asked for" 1 ;;
      FAILED) failed "the request has failed" 1; delete; create || failed "cannot be asked for" 1 ;;
      ABSENT) failed "somebody has deleted it" 1; create || failed "cannot be asked for" 1 ;;
      *) sleep {poll} ;;
    esac
  done
}}

trap 'say "no longer looked after; it costs money until: {by_hand}"; exit 130' INT TERM HUP
case "$(state)" in
  ABSENT) create || exit 2 ;;
  "") cat "$errors" >&2; exit 2 ;;
esac
while :; do
  wait_until_active
  if [ "$fresh" = yes ]; then
    {set_up}
    fresh=no
  fi
  say "runs"
  on_all {run}
  code=$?
  case "$code" in
    0 | 3) finish "$code" ;; # done, or stopped by the guard: again would be the same
  esac
  sleep {poll}
  if [ "$(state)" = ACTIVE ]; then
    if [ "$code" = 75 ]; then say "preempted with a checkpoint: again"
    else failed "the run has ended with code $code" "$code"; fi
  fi
done
"""


def main(argv: list[str]) -> int:
    """Parses, checks, and prints or runs."""
    command = launched_command.split_off(argv, __doc__ or "", EXAMPLE)
    if SUBMIT.value:
        launched_command.needs("gcloud", "it comes with the Google Cloud CLI")
        launched_command.needs("bash", "the script is one of its own")
    text = script(launched_command.checked(command, None))
    if not SUBMIT.value:
        print(text, end="")
        command_line.say("this is printed only; the same with --submit runs it")
        return 0
    sys.stdout.flush()
    os.execvp("bash", ["bash", "-c", text])


def script(launched: launched_command.Launched) -> str:
    """Returns the script.

    Raises:
        InputError: a flag is missing or has a value that cannot be used.
    """
    for flag in (ZONE, ACCELERATOR, RUNTIME):
        if flag.value is None:
            raise InputError(f"--{flag.name} is missing, as in {EXAMPLE}")
    for flag in (ZONE, PROJECT, ACCELERATOR, RUNTIME):
        launched_command.one_word(flag.name, flag.value, r"[\w.:-]+")
    workdir = _workdir(launched.words)
    if workdir is not None and not (is_address(workdir) or os.path.isabs(workdir)):
        raise InputError(
            f"--workdir={workdir} would lie on the disks of the hosts, which go with them; give "
            "a bucket, as --workdir=gs://bucket/runs/fifty, or a directory that --setup mounts on "
            "all of them, as --workdir=/mnt/runs/fifty"
        )
    name = launched_command.named(NAME.value, launched)
    where = f"--zone={ZONE.value}" + (f" --project={PROJECT.value}" if PROJECT.value else "")
    nodes = (
        f"--node-id={name}"
        if SLICES.value == 1
        else f"--node-count={SLICES.value} --node-prefix={name}"
    )
    resource = f"--accelerator-type={ACCELERATOR.value} --runtime-version={RUNTIME.value} {nodes}"
    setup = launched_command.lines_of(SETUP.value)
    set_up = shlex.quote(f"set -e\n{setup}")
    by_hand = f"gcloud compute tpus queued-resources delete {name} --force {where}"
    # A connection that is lost leaves its command running: the next one waits until it has ended.
    run = (
        f"cd {shlex.quote(DIRECTORY.value)} && exec flock .{name}.lock {shlex.join(launched.words)}"
    )
    return SCRIPT.format(
        name=name,
        where=where,
        resource=resource + (" --spot" if SPOT.value else ""),
        failures=FAILURES.value,
        poll=POLL.value,
        by_hand=by_hand,
        at_the_end=f'say "kept; it costs money until: {by_hand}"' if KEEP.value else "delete",
        set_up=(
            f'say "is set up"; on_all {set_up} || {{ failed "the setup" 1; continue; }}'
            if setup
            else ":  # --setup=FILE puts shell lines here"
        ),
        run=shlex.quote(run),
    )


def _workdir(words: list[str]) -> str | None:
    """Returns the run directory of a command; None: it has the default, relative one."""
    for word in words:
        if word.startswith("--workdir="):
            return word.partition("=")[2]
    return "runs" if "experiments.train" in words else None


if __name__ == "__main__":
    command_line.run(main)
