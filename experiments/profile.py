"""Trace a few train steps of a config: the time of each layer and of the slowest operations.

  python -m experiments.profile --config=configs/digits/lenet5.py --steps=20
  python -m experiments.profile --config=configs/cifar10/resnet.py --config.data.directory=DATA

The steps are those of `experiments.train`, on the run's own first batch, after two that compile and
warm up; nothing of the run is kept. The figures are seconds of the devices, on a CPU of all its
threads together. What lies in a fused operation counts for the last of its parts. Leaves the trace,
which TensorBoard with the package xprof and ui.perfetto.dev show, profile.txt and profile.json.

Exit codes: 0 done; 2 bad configuration or input.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiments import command_line
from experiments.config_files import default_workdir
from experiments.processes import refuse

STEPS = flags.DEFINE_integer("steps", 20, "that are traced", lower_bound=1)
TOP = flags.DEFINE_integer("top", 15, "operations that are listed", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "directory; default: the run directory + -profile")


def main(argv: list[str]) -> int:
    """Parses, traces and reports."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    refuse(config.distributed, "the devices of one process are traced")
    if config.parallel.mode == "pmap":
        raise command_line.InputError(
            "config.parallel.mode = 'pmap': the text of its program cannot be had; the same step "
            "by --config.parallel.mode=jit"
        )
    where = Path(OUTPUT.value or default_workdir(config_file) + "-profile")
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax import files
    from cnn_jax.benchmark.step_profile import profile_steps
    from cnn_jax.training.progress import Waiting

    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(where, error) from error
    with Waiting("compiling the step, and tracing it"):
        profile = profile_steps(config, STEPS.value, where)
    text = profile.describe(TOP.value)
    files.write_text(where / "profile.txt", text + "\n")
    files.write_json(where / "profile.json", profile.to_tree())
    print(text)
    return 0


if __name__ == "__main__":
    command_line.run(main)
