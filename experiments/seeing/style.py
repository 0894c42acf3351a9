"""Style transfer: an image with the content of one and the style of another.

  python -m experiments.see style --weights=vgg19.pth --content=a.jpg --style=b.jpg --output=styled

Gatys et al. 2016. --form=paper has the constants of the paper: layers before the rectifier, sums,
averages in place of maxima, from noise; --form=released those of the code that they released:
behind it, means, maxima, from the content image. Layers are VGG's unless --content_layers and
--style_layers name others. --sizes, with commas between them, goes from coarse to fine: the result
of one is where the next begins. Colours (Gatys et al. 2017): --luminance changes luminance alone,
and keeps the content's colours; --match gives the style image the content's mean and covariance of
colours first. Leaves style.png with all three, styled.png alone, and .json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax.config.problems import InputError
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import Asked, Flag

WORDS = ""
FORMS, MATCHES = ["paper", "released"], ["none", "cholesky", "pca", "symmetric"]
FLAGS: Mapping[str, Flag] = {
    "content": Flag(flags.DEFINE_string, None, "image whose content is kept"),
    "style": Flag(flags.DEFINE_string, None, "image whose style is taken"),
    "form": Flag(flags.DEFINE_enum, "released", "whose constants", {"enum_values": FORMS}),
    "content_layers": Flag(flags.DEFINE_list, [], "default: VGG's conv4_2"),
    "style_layers": Flag(flags.DEFINE_list, [], "default: VGG's conv1_1 to conv5_1"),
    "content_weight": Flag(flags.DEFINE_float, None, "beside 1; default: as the form has it"),
    "sizes": Flag(flags.DEFINE_list, ["512"], "pixels of the longer side, from coarse to fine"),
    "iterations": Flag(
        flags.DEFINE_integer, None, "at each size at most; default: 500", {"lower_bound": 1}
    ),
    "luminance": Flag(flags.DEFINE_bool, False, "change the luminance alone"),
    "match": Flag(flags.DEFINE_enum, "none", "colours of the style", {"enum_values": MATCHES}),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}
ITERATIONS, SMALLEST = 500, 8


def run(asked: Asked) -> None:
    """Transfers at each size, and saves."""
    sizes = _sizes(asked.flag("sizes"))
    for name in ("content", "style"):
        if not asked.flag(name):
            raise InputError(f"--{name} is missing, an image")
    if asked.flag("luminance") and asked.flag("match") != "none":
        raise InputError("--luminance keeps all colours: --match has nothing to change beside it")
    restored = asked.network()
    import numpy as np

    from cnn_jax.seeing import style as transferring
    from cnn_jax.seeing import style_colours
    from cnn_jax.seeing.dream import zoomed
    from cnn_jax.seeing.layer_function import layers_of, problem_at
    from cnn_jax.seeing.photograph import photograph
    from cnn_jax.seeing.sheet import Panel, Sheet, save_image

    subject, form = asked.subject(restored), asked.flag("form")
    channels = subject.image_shape[2]
    if channels == 1 and asked.flag("luminance"):
        raise InputError("--luminance: the network sees grey images, which have no colours")
    default = transferring.PAPER_CONTENT if form == "paper" else 1.0
    weight = asked.flag("content_weight")
    task = transferring.Task(
        form,
        tuple(asked.flag("content_layers")) or transferring.VGG_CONTENT,
        tuple(asked.flag("style_layers")) or transferring.VGG_STYLE,
        default if weight is None else weight,
    )
    names = tuple(dict.fromkeys((*task.content, *task.style)))
    said = layers_of(subject, names, task.average_pooling)
    iterations = asked.flag("iterations") or ITERATIONS
    made: Any = None
    losses: list[list[float]] = []
    files = {name: Path(asked.flag(name)) for name in ("content", "style")}
    for size in sizes:  # all of it is looked at before the first begins
        for file in files.values():
            shape = photograph(file, channels, size).shape
            if problem := problem_at(said, shape[:2], channels):
                raise InputError(f"{file}, --sizes={size}: {problem}")
    with ProgressLines() as progress:
        for number, size in enumerate(sizes):
            content, style = (photograph(file, channels, size) for file in files.values())
            kept, taken = content, style
            if asked.flag("luminance"):
                kept = style_colours.luminance(content).repeat(3, -1)
                taken = style_colours.matched_luminance(style, content).repeat(3, -1)
            elif asked.flag("match") != "none":
                taken = style_colours.matched_colours(style, content, asked.flag("match"))
                taken = np.clip(taken, 0, 255)
            start: Any = None if made is None else zoomed(made, kept.shape[:2])

            def report(done: int, of: int, begun: int = number * iterations) -> None:
                progress("iterations", begun + done, len(sizes) * iterations)

            seed = asked.flag("seed")
            made, found = transferring.transfer(
                task, said, kept, taken, iterations, start, seed, report
            )
            losses.append(found)
    if asked.flag("luminance"):
        made = style_colours.with_colours_of(made, content)
    result, shown = _shown(made), (_shown(content), _shown(style))
    panels = [Panel(image, file.name) for image, file in zip(shown, files.values(), strict=True)]
    notes = (
        f"Form {form}: content of {', '.join(task.content)}, style of {', '.join(task.style)}, "
        f"content weight {task.content_weight:g}; longer side {', '.join(map(str, sizes))} pixels, "
        f"at most {iterations} iterations each. Loss {losses[-1][0]:.4g} after the first iteration "
        f"at the last size, {losses[-1][-1]:.4g} after the last.",
    )
    row = [[*panels, Panel(result, "content with style")]]
    sheet = Sheet(f"{subject.title}: style transfer", row, notes, side=320)
    about: dict[str, Any] = {name: asked.flag(name) for name in FLAGS}
    about |= {"content_layers": task.content, "style_layers": task.style, "losses": losses}
    asked.save(sheet, "style", about, restored)
    save_image(result, asked.output / "styled.png")


def _sizes(texts: list[str]) -> list[int]:
    sizes = [int(text) for text in texts if text.strip().isdecimal()]
    if not sizes or len(sizes) < len(texts) or min(sizes) < SMALLEST:
        given = ",".join(texts)
        raise InputError(f"--sizes={given}: numbers of pixels, {SMALLEST} or more, as in 256,512")
    return sizes


def _shown(pixels: Any) -> Any:
    import numpy as np

    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)
