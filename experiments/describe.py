"""Describe a network: layers, parameters, operations, and what is published of it.

  python -m experiments.describe --model=alexnet --variant=paper
  python -m experiments.describe --model=resnet --set depth=50
  python -m experiments.describe --reference_id=resnet50_v1 --batch_size=32
  python -m experiments.describe --model=alexnet --variant=paper --against=torchvision
  python -m experiments.describe --all

`--against` shows where two networks differ, `--all` lists every published one. Shapes and counts
are read from the network itself; nothing is compiled.
"""

from __future__ import annotations

import json
from typing import Any

from absl import flags

from cnn_jax.config.model_arguments import image_size, model_arguments
from cnn_jax.training.progress import Waiting
from experiments import command_line

MODEL = flags.DEFINE_string("model", None, "name of the network")
VARIANT = flags.DEFINE_string("variant", None, "variant of the network, short for --set variant=")
KWARGS = flags.DEFINE_string("kwargs", "", "arguments of the network, a JSON object")
SET = flags.DEFINE_multi_string("set", [], "one argument, as in depth=50; may be given repeatedly")
REFERENCE_ID = flags.DEFINE_string("reference_id", None, "a published network, in place of --model")
AGAINST = flags.DEFINE_string("against", None, "another variant or reference_id to compare with")
INPUT_SIZE = flags.DEFINE_string("input_size", None, "224 or 28x28x1; default: the published size")
NUM_CLASSES = flags.DEFINE_integer("num_classes", None, "default: as published", lower_bound=1)
DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16", "float64"], "of activations")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 128, "of the activation memory", lower_bound=1)
ALL = flags.DEFINE_bool("all", False, "list all published networks")
JSON = flags.DEFINE_bool("json", False, "print JSON: one object, or with --all a list of them")
MARKDOWN = flags.DEFINE_bool("markdown", False, "with --all: the table of docs/networks.md")


def main(argv: list[str]) -> int:
    """Parses, describes and prints."""
    extra = command_line.parse(argv, __doc__ or "")
    if extra:
        raise command_line.InputError(f"unexpected arguments: {' '.join(extra)}")
    if sum(map(bool, (MODEL.value, REFERENCE_ID.value, ALL.value))) != 1:
        raise command_line.InputError("one of --model, --reference_id and --all is needed")
    if not MODEL.value and (VARIANT.value or KWARGS.value or SET.value):
        raise command_line.InputError("--variant, --kwargs and --set go with --model")
    pairs = [*SET.value, *([f"variant={VARIANT.value}"] if VARIANT.value else [])]
    kwargs = model_arguments(MODEL.value, KWARGS.value, pairs) if MODEL.value else {}
    options = {
        "input_size": image_size(INPUT_SIZE.value) if INPUT_SIZE.value else None,
        "num_classes": NUM_CLASSES.value,
        "dtype": DTYPE.value,
    }
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", DTYPE.value == "float64")
    show_all() if ALL.value else show(kwargs, options)
    return 0


def show(kwargs: dict[str, Any], options: dict[str, Any]) -> None:
    """Prints one network, or where it differs from another."""
    from cnn_jax.diagnostics.network_comparison import compare, other
    from cnn_jax.diagnostics.network_report import display, report
    from cnn_jax.models.description import describe, describe_published

    with Waiting("counting"):
        if REFERENCE_ID.value:
            one = describe_published(REFERENCE_ID.value, **options)
        else:
            one = describe(MODEL.value or "", kwargs, **options)
    if AGAINST.value:
        display(compare(one, other(one, AGAINST.value, **options)))
    elif JSON.value:
        print(json.dumps(one.to_tree()))
    else:
        display(report(one, BATCH_SIZE.value))


def show_all() -> None:
    """Prints every published network."""
    from cnn_jax.diagnostics.network_report import display, markdown, network_list
    from cnn_jax.models.description import describe_all

    if MARKDOWN.value:
        print(markdown(), end="")
        return
    with Waiting("networks described") as waiting:
        descriptions = describe_all(waiting.done)
    if JSON.value:
        print(json.dumps([one.to_tree() for one in descriptions]))
    else:
        display(network_list(descriptions))


if __name__ == "__main__":
    command_line.run(main)
