"""What the network sees: the deviation and mean of a batch, and a sheet of it with labels."""

from __future__ import annotations

from typing import Any, Final

import jax
import numpy as np
from matplotlib.figure import Figure

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.data.regular_files import printable
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding
from cnn_jax.diagnostics.preflight.subject import Subject, as_examples
from cnn_jax.step.objective import prepare_images
from cnn_jax.training.picture import SMALL_PRINT, new_picture, save

SHEET: Final = "sheet.png"
ROWS, COLUMNS = 3, 8  # of pairs: as read, as the network sees it
LETTERS = 12  # of a class name, above an image
RAW: Final = ("channel_mean", "mean_image")  # less a mean alone: deviations about 60, as published
SMALLEST, LARGEST = 0.05, 10.0  # usual deviations


def normalisation(subject: Subject) -> list[Finding]:
    """Takes mean and deviation of the sample as the network sees it, and draws it."""
    seen = seen_by_the_network(subject)
    finding = _judged(subject, seen)
    draw_sheet(subject, seen)
    said = f"{finding.said}; drawn with labels into {subject.output / SHEET}"
    return [Finding("inputs", finding.level, said, finding.remedy, finding.figures)]


def seen_by_the_network(subject: Subject) -> np.ndarray:
    """Returns the sample augmented and normalised, (B, H, W, C)."""
    recipe = subject.recipe

    def prepared(state: Any, images: jax.Array) -> jax.Array:
        return prepare_images(recipe, state, images, recipe.view)

    images = as_examples(subject.batch)["image"]
    return np.asarray(subject.compiled(prepared)(subject.state, images), np.float64)


def _judged(subject: Subject, seen: np.ndarray) -> Finding:
    mean, std = seen.mean((0, 1, 2)), seen.std((0, 1, 2))
    low, high = float(seen.min()), float(seen.max())
    name = subject.config.data.normalisation
    figures = {"mean": mean.tolist(), "std": std.tolist(), "range": [low, high]}
    said = (
        f"{len(seen)} images, normalisation {name}: mean {_each(mean)}, deviation {_each(std)}, "
        f"from {low:.3g} to {high:.3g}"
    )
    remedy = "--config.data.normalisation=standardise"
    off = np.abs(mean) > np.maximum(std, 1e-9)
    if not np.isfinite(seen).all():
        return Finding("inputs", FAIL, f"{said}: not finite", remedy, figures)
    if high == low:
        return Finding("inputs", FAIL, f"{said}: all the same", "look at the images", figures)
    raw = std.max() > LARGEST
    if raw and (name not in RAW or low >= 0):
        said = f"{said}: pixels go in as 0 to 255, not normalised"
        return Finding("inputs", FAIL, said, remedy, figures)
    if off.any():
        said = f"{said}: the mean is further from 0 than the deviation"
        return Finding("inputs", WARN, said, remedy, figures)
    if std.max() < SMALLEST:
        return Finding("inputs", WARN, f"{said}: nearly nothing", remedy, figures)
    if raw:
        said += "; as its paper has it, for an initialisation that is made for it"
    return Finding("inputs", OK, said, figures=figures)


def _each(values: np.ndarray) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def draw_sheet(subject: Subject, seen: np.ndarray) -> None:
    """Draws examples of the sample as they are read and, below each, as the network sees it.

    Normalisation is undone for the picture, so that what is left is augmentation; what it brings
    out of the range of pixels is cut off.

    Args:
        subject: of the checks.
        seen: by the network, (B, H, W, C).
    """
    data, preprocess = subject.run.dataset, subject.recipe.preprocess
    shown = 255 * (seen * np.asarray(preprocess.std) + preprocess.centre)
    count = min(len(seen), ROWS * COLUMNS)
    rows = -(-count // COLUMNS)
    title = (
        f"{subject.config.model.name} on {subject.config.data.source}, {count} examples of train: "
        "as read, and below as the network sees it"
    )
    figure: Figure = new_picture(
        1.25 * COLUMNS, 2.9 * rows + 0.6, title, config_hash(to_tree(subject.config))
    )
    axes = figure.subplots(2 * rows, COLUMNS, squeeze=False)
    for cell in axes.flat:
        cell.axis("off")
    for example in range(count):
        row, column = divmod(example, COLUMNS)
        name = printable(data.class_names[int(subject.batch.labels[example])])
        upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
        upper.set_title(name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…", fontsize=8)
        _show(upper, subject.batch.images[example])
        _show(lower, shown[example])
        lower.text(
            0.5,
            -0.04,
            f"{seen[example].min():.2g} to {seen[example].max():.2g}",
            transform=lower.transAxes,
            ha="center",
            va="top",
            fontsize=6,
            color=SMALL_PRINT,
        )
    save(figure, subject.output / SHEET)


def _show(axes: Any, image: np.ndarray) -> None:
    pixels = np.clip(np.asarray(image, np.float64) / 255, 0, 1)
    if pixels.shape[-1] == 1:
        axes.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.imshow(pixels[..., :3], interpolation="nearest")
