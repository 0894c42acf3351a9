"""How fast things are here, as ratios measured in alternation.

  python -m experiments.benchmark step --model=lenet5 --size=32 --channels=1 --batch_size=128
  python -m experiments.benchmark step --reference_id=alexnet_2012 --batch_size=32 --against=torch
  python -m experiments.benchmark step --model=lenet5 --channels=1 --against=loop
  python -m experiments.benchmark step --layer=conv --set=features=64 --set=kernel_size=3 --size=56
  python -m experiments.benchmark init --reference_id=vgg16
  python -m experiments.benchmark input --batch_size=64 --against=torch

step: images/s and time of the train step that `experiments.train` runs, where the time of the first
one goes, its memory and arithmetic. --against=torch times PyTorch (the [parity] extra; eager,
channels_last, the same layers) in alternating bursts; --against=loop times the same step inside a
compiled loop, as runs over resident data make it. Rounds in which other programs used the machine
are dropped; the ratio is a median, with its range. init: time to draw all parameters. input: images
read, decoded, cropped to --size and brought to the device, beside plain decoding and a store.
"""

from __future__ import annotations

import json
from typing import Any

from absl import flags

from experiments import command_line

COMMANDS = ("step", "init", "input")
MODEL = flags.DEFINE_string("model", None, "network, by its name in cnn_jax.models")
REFERENCE = flags.DEFINE_string("reference_id", None, "published network, by its id, instead")
LAYER = flags.DEFINE_string("layer", None, "one layer instead: conv, dense, max_pool, ...")
SET = flags.DEFINE_multi_string("set", [], "argument of the network or layer, as depth=50")
BATCH = flags.DEFINE_integer("batch_size", 128, "examples a step", lower_bound=1)
SIZE = flags.DEFINE_integer("size", None, "height and width, pixels", lower_bound=1)
CHANNELS = flags.DEFINE_integer("channels", None, "of an image", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", None, "width of the last layer", lower_bound=2)
DTYPE = flags.DEFINE_enum(
    "dtype", "float32", ["float32", "bfloat16", "float64"], "of the computation"
)
DEVICES = flags.DEFINE_integer("devices", 1, "how many to use", lower_bound=1)
AGAINST = flags.DEFINE_enum("against", None, ["torch", "loop"], "what to time beside it")
flags.DEFINE_string("folder", None, "input: images, one sub-folder a class")
flags.DEFINE_integer("workers", None, "input: threads; all cores when unset")
flags.DEFINE_float("needed", None, "input: images/s that a step takes in")
ROUNDS = flags.DEFINE_integer("rounds", 9, "turns of each contender", lower_bound=1)
SECONDS = flags.DEFINE_float("seconds", 1.0, "length of a turn, about", lower_bound=0.01)
JSON = flags.DEFINE_bool("json", False, "print one JSON object instead of text")


def main(argv: list[str]) -> int:
    """Parses, measures and reports."""
    words = command_line.parse(argv, __doc__ or "")
    if len(words) != 1 or words[0] not in COMMANDS:
        raise command_line.InputError(f"say what to measure: {' or '.join(COMMANDS)}")
    if words[0] == "input":
        return measure_input()
    if sum(x is not None for x in (MODEL.value, REFERENCE.value, LAYER.value)) != 1:
        raise command_line.InputError("give one of --model, --reference_id, --layer")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.benchmark import report

    found: dict[str, Any] = getattr(report, words[0])(request())
    print(json.dumps(found) if JSON.value else report.as_text(found))
    return 0


def measure_input() -> int:
    """Times the input and reports."""
    from cnn_jax.benchmark.input import InputRequest, main_input
    from cnn_jax.benchmark.input_report import input_as_text

    names = ("folder", "batch_size", "workers", "against", "needed", "rounds", "seconds")
    given: dict[str, Any] = {name: flags.FLAGS[name].value for name in names}
    found = main_input(InputRequest(size=SIZE.value or 224, **given))
    print(json.dumps(found) if JSON.value else input_as_text(found))
    return 0


def request() -> Any:
    """Returns what the flags ask for."""
    from cnn_jax.benchmark.report import Request

    return Request(
        model=MODEL.value,
        reference_id=REFERENCE.value,
        layer=LAYER.value,
        arguments=command_line.assignments("--set", SET.value),
        batch_size=BATCH.value,
        size=SIZE.value,
        channels=CHANNELS.value,
        classes=CLASSES.value,
        dtype=DTYPE.value,
        devices=DEVICES.value,
        against=AGAINST.value,
        rounds=ROUNDS.value,
        seconds=SECONDS.value,
    )


if __name__ == "__main__":
    command_line.run(main)
