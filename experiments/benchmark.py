"""How fast things are here, as ratios measured in alternation.

  python -m experiments.benchmark step --reference_id=alexnet_2012 --batch_size=32 --against=torch
  python -m experiments.benchmark step --layer=conv --set=features=64 --set=kernel_size=3 --size=56
  python -m experiments.benchmark init --reference_id=vgg16
  python -m experiments.benchmark input --batch_size=64 --against=torch
  python -m experiments.benchmark population --rounds=3

step: images/s and time of the train step of `experiments.train`, where the time of the first one
goes, memory, arithmetic; in alternation with PyTorch (--against=torch: eager, channels_last, the
same layers) or a compiled loop (loop). Rounds in which others used the machine are dropped, ratios
are medians. init: time to draw parameters. input: images/s of each part. population: members/min.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from cnn_jax.files import json_text
from cnn_jax.training.progress import Waiting
from experiments import command_line

OF_STEP = "model reference_id layer batch_size size channels classes dtype devices against rounds"
COMMANDS = ("step", "init", "input", "population")
MODEL = flags.DEFINE_string("model", None, "network, by its name in cnn_jax.models")
REFERENCE = flags.DEFINE_string("reference_id", None, "published network, by its id, instead")
LAYER = flags.DEFINE_string("layer", None, "one layer instead: conv, dense, max_pool, ...")
SET = flags.DEFINE_multi_string("set", [], "argument of the network or layer, as depth=50")
flags.DEFINE_integer("batch_size", 128, "examples a step", lower_bound=1)
SIZE = flags.DEFINE_integer("size", None, "height and width, pixels", lower_bound=1)
flags.DEFINE_integer("channels", None, "of an image", lower_bound=1)
flags.DEFINE_integer("classes", None, "width of the last layer", lower_bound=2)
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16", "float64"], "of the computation")
flags.DEFINE_integer("devices", 1, "how many to use", lower_bound=1)
flags.DEFINE_enum("against", None, ["torch", "loop"], "what to time beside it")
flags.DEFINE_string("folder", None, "input: images, one sub-folder a class")
flags.DEFINE_integer("workers", None, "input: threads; all cores when unset")
flags.DEFINE_float("needed", None, "input: images/s that a step takes in")
flags.DEFINE_integer("rounds", 9, "turns of each contender", lower_bound=1)
flags.DEFINE_float("seconds", 1.0, "length of a turn, about", lower_bound=0.01)
flags.DEFINE_integer("members", 8, "population: trained together", lower_bound=1)
flags.DEFINE_float("epochs", 20.0, "population: of a member", lower_bound=0.1)
flags.DEFINE_integer("alone", 2, "population: members that experiments.train runs", lower_bound=0)
JSON = flags.DEFINE_bool("json", False, "print one JSON object instead of text")


def main(argv: list[str]) -> int:
    """Parses, measures and reports; jax is imported late, a bad flag need not wait for it."""
    words = command_line.parse(argv, __doc__ or "")
    if len(words) != 1 or words[0] not in COMMANDS:
        raise command_line.InputError(f"say what to measure: {' or '.join(COMMANDS)}")
    measure = {"input": measure_input, "population": measure_members}.get(words[0], measure_step)
    with Waiting(f"measuring {words[0]}"):
        figures, text = measure(words[0])
    print(json_text(figures) if JSON.value else text)
    return 0


def measure_step(what: str) -> tuple[dict[str, Any], str]:
    """Times a step, or the drawing of parameters."""
    if sum(x is not None for x in (MODEL.value, REFERENCE.value, LAYER.value)) != 1:
        raise command_line.InputError("give one of --model, --reference_id, --layer")
    from cnn_jax.benchmark import report

    arguments = command_line.assignments("--set", SET.value)
    figures = getattr(report, what)(
        report.Request(arguments=arguments, **given(*OF_STEP.split(), "seconds"))
    )
    return figures, report.as_text(figures)


def measure_input(_: str) -> tuple[dict[str, Any], str]:
    """Times the input."""
    from cnn_jax.benchmark.input import InputRequest, input_as_text, main_input

    names = ("folder", "batch_size", "workers", "against", "needed", "rounds", "seconds")
    figures = main_input(InputRequest(size=SIZE.value or 224, **given(*names)))
    return figures, input_as_text(figures)


def measure_members(_: str) -> tuple[dict[str, Any], str]:
    """Times the strategies of a population."""
    from cnn_jax.benchmark import population
    from cnn_jax.devices.parallel_members import simulate_cpu_devices

    simulate_cpu_devices()
    names = ("model", "members", "epochs", "rounds", "alone")
    figures = population.measure_population(population.PopulationRequest(**given(*names)))
    return figures, population.population_as_text(figures)


def given(*names: str) -> dict[str, Any]:
    """Returns the values of flags by name."""
    return {name: flags.FLAGS[name].value for name in names}


if __name__ == "__main__":
    command_line.run(main)
