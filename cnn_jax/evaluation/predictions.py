"""What a network says about every example of a split: kept, averaged, counted."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.data.npz import load_npz
from cnn_jax.evaluation.exact import Evaluation
from cnn_jax.evaluation.exclusion import Exclusion

ROUNDING = 1e-3  # by which a probability may be above 1
ARRAYS = ("probabilities", "labels", "readable", "names", "class_names")


@dataclass(frozen=True)
class Predictions:
    """Probabilities of all examples of a split, each once, in its order.

    Attributes:
        probabilities: float32 (N, classes); zeros where the image could not be read.
        labels: int32 (N,).
        readable: bool (N,).
        names: of the examples, (N,).
        class_names: one name a class.
        exclusion: what is left out of the errors by choice; it is not saved.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    readable: np.ndarray
    names: np.ndarray
    class_names: np.ndarray
    exclusion: Exclusion | None = None

    def save(self, file: str | Path) -> None:
        """Writes all of it into an .npz file."""
        path = Path(file)
        if path.suffix != ".npz":
            raise InputError(f"{file}: predictions are written into an .npz file")
        files.write_arrays(path, {name: getattr(self, name) for name in ARRAYS})

    @functools.cached_property
    def excluded(self) -> np.ndarray:
        """Which examples are left out by choice, bool (N,)."""
        if self.exclusion is None:
            return np.zeros(len(self.labels), bool)
        return self.exclusion.mask(self.names)

    @property
    def taken(self) -> np.ndarray:
        """Which examples count, bool (N,)."""
        return self.readable & ~self.excluded

    def ranks(self) -> np.ndarray:
        """Returns by how many classes the right one is preceded, int (N,).

        Of equal probabilities the class with the lower number ranks higher; an example whose
        probabilities are not finite has the last rank. As `counts.count_correct`.
        """
        p = self.probabilities
        of_label = np.take_along_axis(p, self.labels[:, None], axis=1)
        before = np.arange(p.shape[1])[None] < self.labels[:, None]
        ahead = ((p > of_label) | ((p == of_label) & before)).sum(1)
        return np.where(np.isfinite(p).all(1), ahead, p.shape[1] + 5)

    def evaluation(self) -> Evaluation:
        """Returns the errors over the examples that count.

        A probability of 0 has the loss of the smallest normal float32, 87.3 nats.

        Raises:
            InputError: there are none, or one is to be left out that is not there.
        """
        taken = self.taken
        n = int(taken.sum())
        if n == 0:
            raise InputError("none of the images of the split can be read and is not excluded")
        ranks = self.ranks()[taken]
        of_label = self.probabilities[np.arange(len(self.labels)), self.labels][taken]
        least = np.finfo(np.float32).tiny
        return Evaluation(
            n=n,
            top1_error=int((ranks >= 1).sum()) / n,
            top5_error=int((ranks >= 5).sum()) / n,
            loss=float(-np.log(np.maximum(of_label.astype(np.float64), least)).mean()),
            examples=len(self.labels),
            unreadable=tuple(str(name) for name in self.names[~self.readable & ~self.excluded]),
            excluded=int(self.excluded.sum()),
            excluded_by=self.exclusion.file if self.exclusion else "",
        )

    def errors_of_classes(self) -> dict[str, dict[str, Any]]:
        """Returns class name -> n, top-1 and top-5 error (fractions), of the classes that occur."""
        ranks, by_class = self.ranks(), {}
        for number, name in enumerate(self.class_names):
            own = ranks[self.taken & (self.labels == number)]
            if len(own):
                by_class[str(name)] = {
                    "n": len(own),
                    "top1_error": float((own >= 1).mean()),
                    "top5_error": float((own >= 5).mean()),
                }
        return by_class

    def confusion(self) -> np.ndarray:
        """Returns how often each class (row) was taken for each (column), int (C, C)."""
        classes = len(self.class_names)
        answers = self.probabilities.argmax(1)
        pairs = self.labels.astype(np.int64) * classes + answers
        counts = np.bincount(pairs[self.taken], minlength=classes**2)
        return counts.reshape(classes, classes)


def load_predictions(file: str | Path) -> Predictions:
    """Returns what `Predictions.save` wrote.

    Raises:
        InputError: the file is no such thing.
    """
    try:
        arrays: dict[str, Any] = load_npz(file)
        predictions = Predictions(**{name: arrays[name] for name in ARRAYS})
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such file of predictions") from error
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        text = f"{file} holds no predictions: --save_predictions of evaluate writes such a file"
        raise InputError(text) from error
    if problem := _problem(predictions):
        raise InputError(f"{file} holds no predictions that can be counted: {problem}")
    return predictions


def _problem(predictions: Predictions) -> str:
    """Returns what does not fit in predictions out of a file, which anybody may have written."""
    p, labels, classes = predictions.probabilities, predictions.labels, predictions.class_names
    if p.ndim != 2 or p.dtype.kind != "f":
        return f"probabilities are {p.dtype} {p.shape}; allowed: floats (examples, classes)"
    if classes.shape != (p.shape[1],):
        return f"{classes.size} class names for probabilities of {p.shape[1]} classes"
    for name in ("labels", "readable", "names"):
        if (shape := getattr(predictions, name).shape) != (len(p),):
            return f"{name} have the shape {shape}, the probabilities {len(p)} examples"
    if labels.dtype.kind not in "iu":
        return f"labels are {labels.dtype}; allowed: integers"
    if predictions.readable.dtype != bool:
        return f"readable is {predictions.readable.dtype}; allowed: bool"
    strange = np.flatnonzero((labels < 0) | (labels >= p.shape[1]))
    if len(strange):
        first = int(strange[0])
        return f"label {labels[first]} of example {first}; allowed: 0 to {p.shape[1] - 1}"
    outside = np.flatnonzero(~((p >= 0) & (p <= 1 + ROUNDING)).all(1) & np.isfinite(p).all(1))
    if len(outside):
        return f"the probabilities of example {int(outside[0])} are not between 0 and 1"
    return ""


def different(first: Predictions, other: Predictions) -> str:
    """Returns in what the examples of two predictions differ: an attribute, or nothing."""
    kinds = ("class_names", "names", "labels")
    unequal = (k for k in kinds if not np.array_equal(getattr(first, k), getattr(other, k)))
    return next(unequal, "")


def averaged(members: Sequence[Predictions]) -> Predictions:
    """Returns the mean of the probabilities of several networks on the same examples.

    An example that one member could not read counts as unreadable.

    Args:
        members: at least one.

    Raises:
        InputError: they are not of the same examples and classes.
    """
    first, *others = members
    for number, other in enumerate(others, start=2):
        if what := different(first, other):
            raise InputError(
                f"members 1 and {number} of the ensemble differ in their {what}: they must be "
                "of the same examples in the same order"
            )
    if not others:
        return first
    mean = np.zeros(first.probabilities.shape)
    for member in members:
        mean += member.probabilities / len(members)
    readable = np.logical_and.reduce([member.readable for member in members])
    mean[~readable] = 0
    return replace(first, probabilities=mean.astype(np.float32), readable=readable)
