"""What classes look like to the network: images whose score is large.

  python -m experiments.see class --workdir=runs/digits-lenet5
  python -m experiments.see class --workdir=runs/digits-lenet5 --classes=3,8 --transforms

Simonyan et al. 2014: argmax S_c - lambda |I|^2 from the zero image, I about the mean and as the
network sees it, S_c before the softmax; --penalty is lambda, which the paper does not print. Shown
is the mean and I; what is beyond black and white is cut, and counted below each. --transforms: an
image that keeps its score however it is shifted, turned and scaled (Olah et al. 2017): 512 steps of
Adam within black and white, no penalty. Leaves class.png, or class-transforms.png, and .json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from cnn_jax.config.problems import InputError
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "classes": Flag(flags.DEFINE_list, [], "by name or number; default: the first ten"),
    "penalty": Flag(flags.DEFINE_float, 0.05, "lambda of the squared norm, above 0"),
    "transforms": Flag(flags.DEFINE_bool, False, "shifted, turned and scaled before each step"),
    "iterations": Flag(
        flags.DEFINE_integer, None, "at most; default: as the paper", {"lower_bound": 1}
    ),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}
FIRST, PLAIN, ROBUST = 10, 200, 512


def run(asked: Asked) -> None:
    """Ascends class by class, and draws the sheet."""
    penalty, robust = asked.flag("penalty"), asked.flag("transforms")
    if not penalty > 0:
        raise InputError(f"--penalty={penalty:g}: must be above 0: the score has no maximum else")
    restored = asked.network()
    import jax
    import numpy as np

    from cnn_jax.models.listening import listen
    from cnn_jax.seeing.class_model import class_model, robust_class_model
    from cnn_jax.seeing.sheet import Panel, Sheet, in_rows

    subject = asked.subject(restored)
    names, record = subject.class_names, subject.preprocessing
    chosen = [subject.class_index(text) for text in asked.flag("classes")]
    chosen = chosen or list(range(min(FIRST, len(names))))
    iterations = asked.flag("iterations") or (ROBUST if robust else PLAIN)

    def of_inputs(inputs: jax.Array) -> jax.Array:
        return listen(subject.model, subject.variables, inputs, ())[0]

    def of_pixels(pixels: jax.Array) -> jax.Array:
        return subject.listen(pixels)[0]

    probabilities = jax.jit(lambda pixels: jax.nn.softmax(of_pixels(pixels)))
    scores = jax.jit(of_pixels)
    panels, numbers = [], []
    with ProgressLines() as progress:
        for place, label in enumerate(chosen):

            def report(done: int, of: int, place: int = place) -> None:
                progress("steps", place * iterations + done, len(chosen) * iterations)

            shape = subject.image_shape
            if robust:
                seed = asked.flag("seed")
                raw = robust_class_model(of_pixels, label, shape, iterations, seed, report)
            else:
                found = class_model(of_inputs, label, shape, penalty, iterations, report)
                raw = 255 * (found * np.asarray(record.std) + record.centre)
            image = np.clip(np.round(raw), 0, 255).astype(np.uint8)
            cut = float(((raw < 0) | (raw > 255)).mean())
            shown = image[None].astype(np.float32)
            score = float(scores(shown)[0, label])
            p = float(probabilities(shown)[0, label])
            text = f"{names[label]}\nscore {score:.3g}, {100 * p:.1f} %"
            panels.append(Panel(image, text if robust else f"{text}\n{100 * cut:.0f} % cut"))
            about: dict[str, Any] = {"class": names[label], "score": score, "probability": p}
            numbers.append(about | {"cut": cut})
    how = (
        f"{iterations} steps of Adam, shifted, turned and scaled before each"
        if robust
        else f"argmax S - {penalty:g} |I|^2 from the zero image, at most {iterations} iterations"
    )
    notes = (
        f"{how}. Below each: score before the softmax and probability of the image as it is shown. "
        "What raises a score need not be what a class looks like: far from all images of training "
        "the network is sure as well.",
    )
    sheet = Sheet(f"{subject.title}: class models", in_rows(panels, 5), notes, side=160)
    about = {"penalty": None if robust else penalty, "transforms": robust}
    name = "class-transforms" if robust else "class"
    asked.save(sheet, name, {**about, "iterations": iterations, "classes": numbers}, restored)
