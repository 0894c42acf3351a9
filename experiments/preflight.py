"""Look at a config and its data before hours are spent on them: a table of ok, warn and fail.

  python -m experiments.preflight --config=configs/digits/lenet5.py
  python -m experiments.preflight --config=configs/mnist/lenet5.py --config.data.directory=DATA
  python -m experiments.preflight --config=configs/digits/lenet5.py --checks=classes,inputs,learning

On the config's own data, network and optimizer, on the first device. The checks:

  classes     classes without images, very uneven ones
  labels      neighbours share labels more often than by chance, in train as in test
  duplicates  images of validation and test that stand in train, pixel by pixel
  inputs      mean and deviation of what the network sees; sheet.png shows it with its labels
  loss        the first loss against ln C; weight decay raises it
  layers      how far the first step moves each layer; dead units
  learning    20 examples are learned to nothing, the config's rate, black images are worse
  gradient    float64 against differences, a few coordinates of every array

Leaves preflight.json and sheet.png, with every figure, in --output. docs/preflight.md has sample
sizes, thresholds, and what no check sees.

Exit codes: 0 nothing failed, warnings may have come; 2 a check failed, or bad input.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from cnn_jax.files import check_output
from experiments import command_line
from experiments.config_files import default_workdir
from experiments.processes import refuse

FAILED = 2
CHECKS = flags.DEFINE_list("checks", [], "which, by commas; default: all")
EXAMPLES = flags.DEFINE_integer(
    "examples", None, "of train in the sample; default: 64, fewer of a large network", lower_bound=2
)
OUTPUT = flags.DEFINE_string(
    "output", None, "directory; default: runs/<directory>-<file>-preflight, beside the run's"
)


def main(argv: list[str]) -> int:
    """Parses, checks, prints the table."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    refuse(config.distributed, "a sample is looked at on one device")
    output = Path(OUTPUT.value or default_workdir(config_file) + "-preflight")
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax.diagnostics.preflight.session import FILE, chosen, preflight

    names = chosen(CHECKS.value)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise command_line.InputError(f"--output={output}: {error.strerror}") from error
    check_output("--output", output / FILE)
    report = preflight(config, EXAMPLES.value, output, names)
    print(report.describe())
    print(f"all figures are in {output}/")
    return FAILED if report.level == "fail" else 0


if __name__ == "__main__":
    command_line.run(main)
