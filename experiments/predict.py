"""Classify image files: the five most probable classes of each.

  python -m experiments.predict --workdir=runs/digits-lenet5 seven.png folder/
  python -m experiments.predict --weights=resnet50.pth --class_names=names.txt photo.jpg

A file is decoded, cropped and normalised as in an evaluation, by `test_crop` and the checkpoint's
record; where training took whole images it is resized. One that is no image is left out (code 2).

The names in --weights, a state dict, tell network and preprocessing where they are torchvision's;
no data is needed. Classes are numbers, or named by --class_names: a name a line, or JSON. With
--config all is that of the config, whose data need not be there either. One that normalises pixels
otherwise than the weights were published with is refused: --preprocessing=weights takes what is
published, --preprocessing=config insists. A new --workdir keeps the weights as a checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from cnn_jax.files import json_text
from cnn_jax.storage.working_copy import directory
from experiments import command_line, processes

if TYPE_CHECKING:
    from cnn_jax.data.crops import CropRule
    from cnn_jax.data.preprocessing import Preprocessing

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
WEIGHTS = flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SHOWN = flags.DEFINE_enum("preprocessing", None, ["weights", "config"], "whose, where they differ")
NAMES = flags.DEFINE_string("class_names", None, "names of the classes: a file")
TOP = flags.DEFINE_integer("top", 5, "classes to print for each image", lower_bound=1)
AVERAGED = flags.DEFINE_bool("averaged", False, "take the averaged parameters, not the last ones")
JSON = flags.DEFINE_bool("json", False, "one JSON object a line instead of text")
BATCH = 64


def main(argv: list[str]) -> int:
    """Parses, restores, predicts and prints."""
    config, paths, distributed = processes.parse_origin(argv, __doc__ or "")
    processes.refuse(distributed, "each image is classified once")
    if not paths:
        raise command_line.InputError("images are needed, as in --workdir=runs/digits seven.png")
    from cnn_jax.data.image_files import find_images

    files = find_images(paths, say=command_line.say)
    from cnn_jax.data.cropping import rule_of  # only now: jax takes seconds
    from cnn_jax.inference.trained_network import WeightsUse, trained_network
    from cnn_jax.training.progress import Waiting

    use = WeightsUse(SHOWN.value, NAMES.value, say=command_line.say, averaged=AVERAGED.value)
    place = WORKDIR.value and directory("--workdir", WORKDIR.value, new=False)
    restored = trained_network(place, CHECKPOINT.value, WEIGHTS.value, config, use)
    function = restored.probability_function(averaged=AVERAGED.value)
    record, rule = restored.preprocessing, rule_of(restored.config.test_crop)
    failed = 0
    for first in range(0, len(files), BATCH):
        loaded = [(file, _load(file, record, rule)) for file in files[first : first + BATCH]]
        good = [(file, image) for file, image in loaded if image is not None]
        failed += len(loaded) - len(good)
        if good:
            with Waiting("classifying"):
                probabilities = np.asarray(function(np.stack([image for _, image in good])))
            for (file, _), row in zip(good, probabilities, strict=True):
                _print(str(file), row, record.class_names)
    if failed:
        command_line.say(f"{failed} of {len(files)} files could not be used")
    return command_line.BAD_INPUT if failed else 0


def _load(file: Path, record: Preprocessing, rule: CropRule) -> np.ndarray | None:
    from cnn_jax.data.image_files import load_image

    try:
        return load_image(file, record, rule)
    except command_line.InputError as error:
        command_line.say(f"error: {error}")
        return None


def _print(file: str, probabilities: np.ndarray, class_names: tuple[str, ...]) -> None:
    from cnn_jax.data.regular_files import printable

    best = probabilities.argsort()[::-1][: TOP.value]
    if JSON.value:
        rows = [(class_names[i], int(i), float(probabilities[i])) for i in best]
        top = [dict(zip(("class", "index", "probability"), row, strict=True)) for row in rows]
        print(json_text({"file": file, "top": top}))
        return
    lines = [f"  {100 * probabilities[i]:6.2f} %  {printable(class_names[i])}" for i in best]
    print("\n".join([printable(file), *lines]))


if __name__ == "__main__":
    command_line.run(main)
