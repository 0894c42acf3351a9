"""What the maps of a layer say of images, the strongest first; of all layers, a page each.

  python -m experiments.see maps --workdir=runs/digits-lenet5 docs/images
  python -m experiments.see maps --workdir=runs/digits-lenet5 --layer=C3 docs/images

Shown is what goes on to the next layer, after the nonlinearity; with --before what came into it.
The pages are called maps-IMAGE-LAYER.png; the .json beside each has largest value, mean and share
of positions above zero of every map, of those that are not shown, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from experiments.progress_lines import ProgressLines
from experiments.seeing.command import LAYER, Asked, Flag

WORDS = "IMAGE"
FLAGS: Mapping[str, Flag] = {
    "layer": LAYER,
    "count": Flag(flags.DEFINE_integer, 44, "maps on a page", {"lower_bound": 1}),
    "before": Flag(flags.DEFINE_bool, False, "before the nonlinearity, rather than after"),
}


def run(asked: Asked) -> None:
    """Draws the pages."""
    restored = asked.network()
    import jax
    import numpy as np

    from cnn_jax.seeing.maps import map_sheet
    from cnn_jax.seeing.subject import as_pixels
    from cnn_jax.training.progress import Waiting

    subject = asked.subject(restored)
    layers = [asked.flag("layer")] if asked.flag("layer") else subject.map_layers
    for layer in layers:
        subject.check_layer(layer)
    images = asked.images(restored)
    side = "before" if asked.flag("before") else "after"

    @jax.jit
    def maps(variables: Any, pixels: jax.Array) -> dict[str, jax.Array]:
        sounds = subject.listen(pixels, layers, variables)[1]
        return {name: getattr(sound, side).astype(float)[0] for name, sound in sounds.items()}

    with ProgressLines() as progress:
        for number, (file, image) in enumerate(images.items()):
            with Waiting(f"running {len(layers)} layers on {file}"):
                said = maps(subject.variables, as_pixels(image)[None])
            for page, layer in enumerate(layers):
                title = f"{subject.title}: {layer} of {file.name}"
                sheet, numbers = map_sheet(
                    image, np.asarray(said[layer], np.float32), asked.flag("count"), title
                )
                about = {"layer": layer, "side": side, "image": str(file), **numbers}
                asked.save(sheet, f"maps-{file.stem}-{layer}", about, restored)
                progress("pages", number * len(layers) + page + 1, len(images) * len(layers))
