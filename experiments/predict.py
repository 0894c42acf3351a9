"""Classify image files: the five most probable classes of each.

  python -m experiments.predict --workdir=runs/digits-lenet5 seven.png folder/
  python -m experiments.predict --weights=resnet50.pth --config=CONFIG folder/

A file is decoded, cropped and normalised as in an evaluation of the network: by `test_crop` and the
record in the checkpoint. A network that was trained on whole images sees files of another size
resized. With --weights, a state dict with torchvision's names (.pth, .safetensors or .npz), network
and preprocessing are those of the config, and a new --workdir keeps them as a checkpoint. A file
that is no image is reported and left out; the exit code is then 2.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from cnn_jax.files import json_text
from experiments import command_line

if TYPE_CHECKING:
    from cnn_jax.data.crops import CropRule
    from cnn_jax.data.preprocessing import Preprocessing

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
WEIGHTS = flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
TOP = flags.DEFINE_integer("top", 5, "classes to print for each image", lower_bound=1)
AVERAGED = flags.DEFINE_bool(
    "averaged", False, "take the averaged parameters; otherwise those of the last step"
)
JSON = flags.DEFINE_bool("json", False, "one JSON object a line instead of text")
BATCH = 64


def main(argv: list[str]) -> int:
    """Parses, restores, predicts and prints."""
    config, paths = command_line.parse_origin(argv, __doc__ or "")
    if not paths:
        raise command_line.InputError(
            "images are needed, as in --workdir=runs/digits-lenet5 seven.png"
        )
    from cnn_jax.data.image_files import find_images

    files = find_images(paths, say=lambda text: print(text, file=sys.stderr))
    # Imported here: jax takes seconds, and a bad path need not wait for it.
    from cnn_jax.data.cropping import rule_of
    from cnn_jax.inference.trained_network import trained_network
    from cnn_jax.training.progress import Waiting

    restored = trained_network(WORKDIR.value, CHECKPOINT.value, WEIGHTS.value, config)
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
        print(f"{failed} of {len(files)} files could not be used", file=sys.stderr)
    return command_line.BAD_INPUT if failed else 0


def _load(file: Path, record: Preprocessing, rule: CropRule) -> np.ndarray | None:
    from cnn_jax.data.image_files import load_image

    try:
        return load_image(file, record, rule)
    except command_line.InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return None


def _print(file: str, probabilities: np.ndarray, class_names: tuple[str, ...]) -> None:
    from cnn_jax.data.regular_files import printable

    best = probabilities.argsort()[::-1][: TOP.value]
    if JSON.value:
        top = [{"class": class_names[i], "probability": float(probabilities[i])} for i in best]
        print(json_text({"file": file, "top": top}))
        return
    print(printable(file))
    for i in best:
        print(f"  {100 * probabilities[i]:6.2f} %  {printable(class_names[i])}")


if __name__ == "__main__":
    command_line.run(main)
