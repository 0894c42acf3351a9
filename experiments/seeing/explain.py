"""Which pixels the score of a class depends on, by several methods: a row an image.

  python -m experiments.see explain --workdir=runs/digits-lenet5 docs/images
  python -m experiments.see explain --workdir=RUN --methods=grad_cam,occlusion --class=7 photo.png

Methods: gradient, guided, deconvnet, grad_cam, integrated, smooth_grad, occlusion; by default all
that the network has: guided and deconvnet need rectifiers, grad_cam maps (--layer, or the last).
The class is the one with the highest score, or --class. Beside `guided` stands the same with all
weights drawn anew; told is how alike pictures are, by rank correlation, as layers are drawn anew
from the logits down: what hardly changes explains the image, not what was learned (Adebayo et al.
2018). Leaves explain.png and .json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from cnn_jax.config.problems import hint
from experiments import command_line
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import LAYER, Asked, Flag

if TYPE_CHECKING:
    from cnn_jax.seeing.subject import Subject

ALWAYS = ("gradient", "integrated", "smooth_grad", "occlusion")
OF_RECTIFIERS, OF_MAPS = ("guided", "deconvnet"), "grad_cam"
ORDER = (ALWAYS[0], *OF_RECTIFIERS, OF_MAPS, *ALWAYS[1:])
WORDS = "IMAGE"
FLAGS: Mapping[str, Flag] = {
    "methods": Flag(flags.DEFINE_list, [], "which, by commas; default: all that the network has"),
    "class": Flag(flags.DEFINE_string, None, "name or number; default: the highest score"),
    "layer": LAYER,
    "baseline": Flag(
        flags.DEFINE_float,
        0.0,
        "pixel value of an image that says nothing, for integrated and occlusion",
        {"lower_bound": 0, "upper_bound": 255},
    ),
    "patch": Flag(
        flags.DEFINE_integer,
        None,
        "side of an occluded patch, pixels; default: an eighth of the image",
        {"lower_bound": 1},
    ),
}


def run(asked: Asked) -> None:
    """Explains, image by image, and draws the sheet."""
    wanted = methods(asked.flag("methods"))
    restored = asked.network()
    import numpy as np

    from cnn_jax.seeing.explanation_sheet import SHOWN, panel_of
    from cnn_jax.seeing.explanations import Explainer
    from cnn_jax.seeing.randomisation import cascade, drawn_anew
    from cnn_jax.seeing.shades import signed
    from cnn_jax.seeing.sheet import Panel, Sheet
    from cnn_jax.training.progress import Waiting

    subject = asked.subject(restored)
    layer = asked.flag("layer")
    if layer:
        subject.check_layer(layer)
    wanted, why = available(subject, wanted, layer)
    label = None if asked.flag("class") is None else subject.class_index(asked.flag("class"))
    images = asked.images(restored)
    patch = asked.flag("patch") or max(1, min(subject.image_shape[:2]) // 8)
    explainer = Explainer(subject, layer, asked.flag("baseline"), patch, max(1, patch // 2))
    drawn = drawn_anew(subject) if "guided" in wanted else None
    rows, headings, told = [], [], []
    with Waiting("explaining"), ProgressLines() as progress:
        for number, (file, image) in enumerate(images.items()):
            scores = explainer.scores(np.asarray(image, float)[None])[0]
            chosen = int(scores.argmax()) if label is None else label
            name = subject.class_names[chosen]
            about: dict[str, Any] = {
                "image": str(file),
                "class": name,
                "score": float(scores[chosen]),
            }
            row = [Panel(image, f"{name}: {scores[chosen]:.3g}")]
            for i, method in enumerate(wanted):
                explained = explainer.explain(method, image, chosen)
                row.append(panel_of(method, image, explained))
                about[method] = explained.numbers
                if method == "guided":
                    about["drawn_anew"], random = cascade(
                        explainer, image, chosen, drawn or {}, "grad_cam" in wanted
                    )
                    last = about["drawn_anew"][-1]["correlation"]["guided"]
                    row.append(Panel(signed(random), f"alike {last:.2f}"))
                progress("pictures", number * len(wanted) + i + 1, len(images) * len(wanted))
            rows.append(row)
            headings.append(file.name)
            told.append(about)
    columns = ["image"]
    for method in wanted:
        columns += [method, "guided, random"] if method == "guided" else [method]
    said = [*why, *(line for about in told for line in said_of(about))]
    for line in said:
        print(line)
    maps = explainer.maps_of_cam if OF_MAPS in wanted else None
    notes = [
        f"{method}{f' of {maps}' if method == OF_MAPS else ''}: {SHOWN[method]}"
        for method in wanted
    ]
    notes += said
    side = min(224, max(112, *subject.image_shape[:2]))
    sheet = Sheet(f"{subject.title}: explanations", rows, notes, headings, columns, side=side)
    about = {"methods": list(wanted), "layer": maps, "patch": patch, "images": told}
    asked.save(sheet, "explain", about, restored)


def methods(names: list[str]) -> tuple[str, ...]:
    """Returns the methods that are asked for; empty: all that can be had.

    Raises:
        InputError: one does not exist.
    """
    for name in names:
        if name not in ORDER:
            raise command_line.InputError(f"--methods: {name!r} is unknown{hint(name, ORDER)}")
    return tuple(dict.fromkeys(names))


def available(
    subject: Subject, wanted: tuple[str, ...], layer: str | None
) -> tuple[tuple[str, ...], list[str]]:
    """Returns the methods that a network has, and why others are left out.

    Raises:
        InputError: one is asked for that it does not have.
    """
    from cnn_jax.seeing.explanations import last_maps

    missing = {}
    if not subject.rectifies:
        reason = f"it is defined for rectifiers, and here are {subject.model.nonlinearity} units"
        missing = dict.fromkeys(OF_RECTIFIERS, reason)
    try:
        layer or last_maps(subject)
    except command_line.InputError as error:
        missing[OF_MAPS] = str(error).removeprefix("grad_cam: ")
    for method in wanted:
        if method in missing:
            raise command_line.InputError(f"--methods={method}: {missing[method]}")
    chosen = wanted or tuple(name for name in ORDER if name not in missing)
    return chosen, [] if wanted else [f"{name} is left out: {why}" for name, why in missing.items()]


def said_of(about: Mapping[str, Any]) -> list[str]:
    """Returns what must be known of the pictures of one image, a line each."""
    name, lines = Path(about["image"]).name, []
    if "integrated" in about:
        one = about["integrated"]
        lines.append(
            f"{name}: integrated gradients sum to {one['sum']:.4g}, the score rises from "
            f"{one['baseline_score']:.4g} to {one['score']:.4g}: gap {one['gap']:.2g}"
        )
    if "grad_cam" in about and about["grad_cam"]["largest"] <= 0:
        lines.append(
            f"{name}: Grad-CAM is zero everywhere: no weighted sum of the maps is above zero"
        )
    for method in about["drawn_anew"][-1]["correlation"] if "drawn_anew" in about else ():
        steps = [
            f"{row['correlation'][method]:.2f} down to {row['down_to']}"
            for row in about["drawn_anew"]
        ]
        lines.append(f"{name}: {method} and the same with layers drawn anew: {', '.join(steps)}")
    return lines
