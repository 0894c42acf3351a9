"""Evaluate checkpoints, weights out of a file, or saved predictions: every example counts once.

  python -m experiments.evaluate --workdir=runs/digits-lenet5 --split=test
  python -m experiments.evaluate --weights=resnet50.pth --data_directory=IMAGES
  python -m experiments.evaluate --workdir=runs/a --workdir=runs/b --protocol=10_crop
  python -m experiments.evaluate --workdir=runs/a --protocol=dense --set='scales=(256, 384, 512)'
  python -m experiments.evaluate --predictions=a.npz --predictions=b.npz --output=both.json

Network, preprocessing and data come from the checkpoint, or from --config. --weights, a state dict,
tells the first two by torchvision's names; --data_directory is a folder of images then. Where file
and config differ, --preprocessing says whose counts. A new --workdir keeps the weights. --protocol:
centre (the crop of the config), 10_crop, 144_crop, grid or dense; probabilities are averaged over
the views, and over several --workdir or --predictions. --save_predictions keeps them. --exclude
leaves out what a file lists: a name a line, or a number of ILSVRC's validation set.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax import files
from cnn_jax.storage.working_copy import directory
from experiments import command_line, processes

WORKDIR = flags.DEFINE_multi_string("workdir", None, "run directory; several: an ensemble")
WEIGHTS = flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
PREDICTIONS = flags.DEFINE_multi_string("predictions", None, "saved predictions, in place of both")
SHOWN = flags.DEFINE_enum("preprocessing", None, ["weights", "config"], "whose, where they differ")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SPLIT = flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "split to evaluate on")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "examples in one step", lower_bound=1)
PROTOCOL = flags.DEFINE_string("protocol", None, "centre, 10_crop, 144_crop, grid or dense")
SET = flags.DEFINE_multi_string("set", [], "an argument of the protocol, as in shorter_side=288")
AVERAGED = flags.DEFINE_bool("averaged", False, "with a protocol: take the averaged parameters")
DATA = flags.DEFINE_string("data_directory", None, "where the data lies now")
FORCE = flags.DEFINE_bool("force", False, "evaluate on data that differs from that of training")
EXCLUDE = flags.DEFINE_string("exclude", None, "file that lists images to leave out of the count")
SAVE = flags.DEFINE_string("save_predictions", None, "write all probabilities into this .npz file")
OUTPUT = flags.DEFINE_string("output", None, "also write the result into this JSON file")


def main(argv: list[str]) -> None:
    """Parses, restores, evaluates and reports."""
    config, extra, distributed = processes.parse_origin(argv, __doc__ or "")
    command_line.nothing_else(extra)
    files.check_output("--output", OUTPUT.value)
    files.check_output("--save_predictions", SAVE.value, (".npz",))
    views = PROTOCOL.value or SAVE.value or SET.value or AVERAGED.value or EXCLUDE.value
    several = PREDICTIONS.value or len(WORKDIR.value or ()) > 1
    if views or several or (WEIGHTS.value and WORKDIR.value):
        processes.refuse(distributed, "one evaluates by views and ensembles, or keeps --weights")
    with processes.joined(distributed, "evaluate", SPLIT, BATCH_SIZE) as lead:
        result = _by_views(config) if views or several else _by_counts(config)
        if OUTPUT.value and lead:
            files.write_json(Path(OUTPUT.value), result)


def _by_counts(config: command_line.Config) -> dict[str, Any]:
    from cnn_jax.inference.reports import evaluate_one

    restored = _network(next(iter(WORKDIR.value or ()), None), config)
    origin = Path(WEIGHTS.value).name if WEIGHTS.value else f"step {restored.step}"
    return evaluate_one(restored, SPLIT.value, BATCH_SIZE.value, origin, FORCE.value)


def _by_views(config: command_line.Config) -> dict[str, Any]:
    """Probabilities of all views and networks, averaged."""
    protocol, arguments = PROTOCOL.value or "centre", command_line.assignments("--set", SET.value)
    from cnn_jax.evaluation.exclusion import read_exclusion
    from cnn_jax.evaluation.predictions import averaged, load_predictions
    from cnn_jax.inference.multi_view import predict_split
    from cnn_jax.inference.reports import report_members

    exclusion = read_exclusion(EXCLUDE.value) if EXCLUDE.value else None
    members = {file: load_predictions(file) for file in PREDICTIONS.value or ()}
    how = (SPLIT.value, protocol, arguments, BATCH_SIZE.value, AVERAGED.value, FORCE.value)
    for workdir in () if members else WORKDIR.value or (None,):
        restored = _network(workdir, config)
        name = f"{workdir or WEIGHTS.value}, step {restored.step}, {protocol}"
        members[name] = predict_split(restored, *how)
    result = report_members({name: replace(m, exclusion=exclusion) for name, m in members.items()})
    if SAVE.value:
        averaged(list(members.values())).save(SAVE.value)
    return result


def _network(workdir: str | None, config: command_line.Config) -> Any:
    from cnn_jax.inference.trained_network import WeightsUse, trained_network

    use = WeightsUse(SHOWN.value, None, DATA.value, True, command_line.say, AVERAGED.value)
    place = None if workdir is None else directory("--workdir", workdir, new=False)
    return trained_network(place, CHECKPOINT.value, WEIGHTS.value, config, use)


if __name__ == "__main__":
    command_line.run(main)
