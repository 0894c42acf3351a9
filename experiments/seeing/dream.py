"""DeepDream: an image changed so that a layer says more of what it says already.

  python -m experiments.see dream --workdir=runs/digits-lenet5 --layer=C3 photo.jpg
  python -m experiments.see dream --workdir=runs/googlenet --layer=inception_4c/output photo.jpg

The notebook's constants unless flags say otherwise: half the squared norm of the layer, behind its
nonlinearity; 4 octaves of 1.4 with 10 steps of 1.5 each, the image rolled by up to 32 pixels. The
image keeps its own size, or has --size. --guide draws towards what the layer says of another image.
--frames=N makes N images, each a dream of the one before it, seen from 5 % closer. Leaves
dream-IMAGE-LAYER.png with the image beside it, the dream alone in dream-IMAGE-LAYER-N.png, and
.json.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax.config.problems import InputError
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import LAYER, Asked, Flag

WORDS = "IMAGE"
FLAGS: Mapping[str, Flag] = {
    "layer": LAYER,
    "iterations": Flag(flags.DEFINE_integer, None, "in an octave; default: 10", {"lower_bound": 1}),
    "octaves": Flag(flags.DEFINE_integer, 4, "sizes, smallest first", {"lower_bound": 1}),
    "octave_scale": Flag(
        flags.DEFINE_float, 1.4, "of one octave to the next", {"lower_bound": 1.01}
    ),
    "step": Flag(flags.DEFINE_float, 1.5, "mean change of a pixel", {"lower_bound": 0.0}),
    "jitter": Flag(flags.DEFINE_integer, 32, "pixels of the rolls at most", {"lower_bound": 0}),
    "guide": Flag(flags.DEFINE_string, None, "image towards which is drawn"),
    "frames": Flag(flags.DEFINE_integer, 1, "dreams of dreams, each closer", {"lower_bound": 1}),
    "size": Flag(flags.DEFINE_integer, None, "pixels of the longer side", {"lower_bound": 8}),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}
STEPS = 10


def run(asked: Asked) -> None:
    """Dreams, and saves every frame."""
    if not (layer := asked.flag("layer")):
        raise InputError("--layer is missing, as in --layer=inception_4c/output")
    restored = asked.network()
    import jax.numpy as jnp
    import numpy as np

    from cnn_jax.data.image_files import find_images
    from cnn_jax.seeing.dream import Dreaming, dream, frames, objective
    from cnn_jax.seeing.layer_function import layer_of, problem_at
    from cnn_jax.seeing.photograph import photograph
    from cnn_jax.seeing.sheet import Panel, Sheet, save_image

    subject = asked.subject(restored)
    subject.check_layer(layer)
    channels, said = subject.image_shape[2], layer_of(subject, layer)
    size, guide = asked.flag("size"), None
    if asked.flag("guide"):
        guiding = photograph(Path(asked.flag("guide")), channels, size)
        guide = np.asarray(said(jnp.asarray(guiding[None])))
    files = find_images(list(asked.words))
    images = {file: photograph(file, channels, size) for file in files}
    for file, image in images.items():
        if problem := problem_at(said, image.shape[:2], channels):
            raise InputError(f"{file}: {problem}; --size makes it larger")
    how = Dreaming(
        asked.flag("iterations") or STEPS,
        *(asked.flag(name) for name in ("octaves", "octave_scale", "step", "jitter", "seed")),
    )
    gain, count = objective(said, guide), asked.flag("frames")
    steps = count * how.octaves * how.iterations
    for file, image in images.items():
        name, panels = f"dream-{file.stem}-{layer}", [Panel(_shown(image), file.name)]
        before = float(np.square(said(jnp.asarray(image[None]))).mean())
        with ProgressLines() as progress:
            begun = itertools.count(0, how.octaves * how.iterations)

            def dreamt(pixels: np.ndarray, begun: Iterator[int] = begun) -> np.ndarray:
                first = next(begun)
                return dream(
                    gain,
                    pixels,
                    how,
                    lambda size: not problem_at(said, size, channels),
                    lambda done, _: progress("steps", first + done, steps),
                )

            made = list(frames(dreamt, image, count))
        after = float(np.square(said(jnp.asarray(made[0][None]))).mean())
        panels += [Panel(_shown(found), f"dream {i}") for i, found in enumerate(made[:7])]
        toward = f", towards {Path(asked.flag('guide')).name}" if guide is not None else ""
        notes = (
            f"{layer}{toward}: {how.octaves} octaves of {how.scale:g} at most, {how.iterations} "
            f"steps of {how.step:g}. Mean square of the layer {before:.4g} before, {after:.4g} "
            "after the first dream.",
        )
        sheet = Sheet(f"{subject.title}: dream of {file.name}", [panels], notes, side=360)
        about = {"layer": layer, "image": str(file), "guide": asked.flag("guide")}
        about |= {"frames": count, "before": before, "after": after, **how.__dict__}
        asked.save(sheet, name, about, restored)
        for i, found in enumerate(made):
            save_image(_shown(found), asked.output / f"{name.replace('/', '-')}-{i}.png")


def _shown(pixels: Any) -> Any:
    import numpy as np

    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)
