"""Where a classifier goes wrong: the classes that it confuses, and its most confident mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.evaluation.interval import wilson
from cnn_jax.evaluation.predictions import Predictions
from cnn_jax.training.picture import new_picture, save

NUMBERED = 20  # classes up to which the counts stand in the picture
NAMED = 40  # classes up to which each has its name there
ERROR_COLOURS, RIGHT = "OrRd", "0.9"


@dataclass(frozen=True)
class Mistake:
    """An example that was taken for another class.

    Attributes:
        example: its number in the split.
        name: by which the data know it.
        label: its class.
        answer: the class that it was taken for.
        probability: which that class was given.
        of_label: which its own class was given.
    """

    example: int
    name: str
    label: int
    answer: int
    probability: float
    of_label: float


def confident_mistakes(predictions: Predictions, most: int) -> list[Mistake]:
    """Returns the mistakes of which the classifier is surest, the surest first.

    Args:
        predictions: of a split; what is unreadable or excluded does not count.
        most: how many at most.
    """
    answers = predictions.probabilities.argmax(1)
    sure = predictions.probabilities.max(1)
    wrong = np.flatnonzero((answers != predictions.labels) & predictions.taken)
    ordered = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    return [
        Mistake(
            int(i),
            str(predictions.names[i]),
            int(predictions.labels[i]),
            int(answers[i]),
            float(sure[i]),
            float(predictions.probabilities[i, predictions.labels[i]]),
        )
        for i in ordered
    ]


def confused_pairs(matrix: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """Returns (class, taken for, how often), the most frequent first; ties in order of classes.

    Args:
        matrix: of `Predictions.confusion`, int (C, C).
        most: how many at most.
    """
    errors = matrix * ~np.eye(len(matrix), dtype=bool)
    flat = np.argsort(-errors, axis=None, kind="stable")[:most]
    pairs = (np.unravel_index(int(i), errors.shape) for i in flat)
    return [(int(a), int(b), int(errors[a, b])) for a, b in pairs if errors[a, b]]


def worst_classes(predictions: Predictions, most: int) -> list[dict[str, Any]]:
    """Returns the classes with the largest top-1 errors: name, n, error and its interval."""
    classes = predictions.errors_of_classes()
    ordered = sorted(classes, key=lambda name: (-classes[name]["top1_error"], name))[:most]
    return [
        {
            "class": name,
            "n": classes[name]["n"],
            "error": classes[name]["top1_error"],
            "interval": wilson(classes[name]["top1_error"], classes[name]["n"]),
        }
        for name in ordered
    ]


def draw_confusion(
    matrix: np.ndarray,
    class_names: tuple[str, ...],
    title: str,
    path: Path,
    config_hash: str = "",
) -> None:
    """Draws a confusion matrix, as PNG and PDF: a row a class, a column what it was taken for.

    Colour is the share of its class; the diagonal, what is right, has none, so that a rare
    confusion beside many right answers is seen.

    Args:
        matrix: of `Predictions.confusion`.
        class_names: one a class.
        title: above the picture.
        path: of the picture.
        config_hash: of the run.
    """
    classes = len(matrix)
    side = float(np.clip(0.42 * classes + 1.8, 4.5, 11))
    figure = new_picture(side + 1, side, title, config_hash)
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    wrong = np.ma.masked_array(100 * share, np.eye(classes, dtype=bool))
    axes.set_facecolor(RIGHT)
    highest = max(float(wrong.max()), 1.0) if classes > 1 else 1.0
    image = axes.imshow(wrong, cmap=ERROR_COLOURS, vmin=0, vmax=highest)
    figure.colorbar(image, ax=axes, label="% of the class", shrink=0.8)
    if classes <= NUMBERED:
        for row, column in np.argwhere(matrix > 0):
            dark = row != column and wrong[row, column] > 0.6 * highest
            colour = "white" if dark else "black"
            what: dict[str, Any] = {"ha": "center", "va": "center", "color": colour, "size": 8}
            axes.text(column, row, f"{matrix[row, column]}", **what)
    places = np.unique(np.linspace(0, classes - 1, min(classes, NAMED)).round().astype(int))
    names = [_short(class_names[i]) for i in places]
    turned = max(map(len, names)) > 2
    axes.set_xticks(places, names, rotation=90 if turned else 0, fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    save(figure, path)


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
