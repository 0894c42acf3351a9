"""Inversion: an image of which a layer says the same as of a given one.

  python -m experiments.see invert --workdir=runs/digits-lenet5 --layer=C3,F6 docs/images

Mahendran & Vedaldi 2015: the distance of what the layer says, behind its nonlinearity, is made
small, with a price on pixels beyond their range and on differences of neighbours (--variation; 0.5,
5 and 50 were reported for VGG-16, more for deeper layers). They descend with momentum; here it is
L-BFGS within black and white. Several layers with commas between them are a row. What an image has
lost on its way through the network is what the inversion lacks. Leaves invert.png and .json.
"""

from __future__ import annotations

from collections.abc import Mapping

from absl import flags

from cnn_jax.config.problems import InputError
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import LAYER, Asked, Flag

WORDS = "IMAGE"
FLAGS: Mapping[str, Flag] = {
    "layer": LAYER,
    "variation": Flag(flags.DEFINE_float, 0.05, "weight of differences", {"lower_bound": 0.0}),
    "iterations": Flag(flags.DEFINE_integer, None, "at most; default: 200", {"lower_bound": 1}),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}
ITERATIONS = 200


def run(asked: Asked) -> None:
    """Inverts every image at every layer, and draws the sheet."""
    if not asked.flag("layer"):
        raise InputError("--layer is missing, as in --layer=conv5")
    layers = [name for name in asked.flag("layer").split(",") if name]
    restored = asked.network()
    import numpy as np

    from cnn_jax.seeing.inversion import invert
    from cnn_jax.seeing.layer_function import layer_of
    from cnn_jax.seeing.sheet import Panel, Sheet

    subject = asked.subject(restored)
    for layer in layers:
        subject.check_layer(layer, maps=False)
    images = asked.images(restored)
    iterations = asked.flag("iterations") or ITERATIONS
    centre = 255 * subject.preprocessing.centre
    rows, numbers, done = [], [], 0
    with ProgressLines() as progress:
        for file, image in images.items():
            row = [Panel(image, file.name)]
            for layer in layers:
                begun = done * iterations

                def report(so_far: int, of: int, begun: int = begun) -> None:
                    progress("steps", begun + so_far, len(images) * len(layers) * iterations)

                found = invert(
                    layer_of(subject, layer),
                    image.astype(np.float32),
                    centre,
                    asked.flag("variation"),
                    iterations,
                    asked.flag("seed"),
                    report,
                )
                done += 1
                shown = np.clip(np.round(found.image), 0, 255).astype(np.uint8)
                row.append(Panel(shown, f"{layer}\ndistance {found.distance:.2g}"))
                about = {"image": str(file), "layer": layer, "distance": found.distance}
                numbers.append(about | {"losses": found.losses})
            rows.append(row)
    notes = (
        "Left the image, then what was made of what each layer says of it. Distance: that of what "
        f"the layer says of both, squared, as a share of its square. Variation "
        f"{asked.flag('variation'):g}, at most {iterations} iterations from noise.",
    )
    sheet = Sheet(f"{subject.title}: inversions", rows, notes, side=160)
    asked.save(sheet, "invert", {"variation": asked.flag("variation"), "images": numbers}, restored)
