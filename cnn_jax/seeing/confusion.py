"""Where a classifier goes wrong: the classes that it confuses, and its most confident mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_jax.evaluation.interval import wilson
from cnn_jax.evaluation.predictions import Predictions


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
