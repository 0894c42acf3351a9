"""Whether labels have to do with the images: near neighbours should share them.

A network learns any labels of a few examples, right or shuffled, so that a check on 20 examples
sees nothing. Labels that go with the images, however, are shared by neighbours more often than by
chance, in pixels, in the power spectrum, which a shift does not change, or in colours. That they
are not proves nothing by itself: a texture may show in none of these. It does where another split,
of the same images and classes, agrees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from cnn_jax.data.dataset import AnySplit
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding
from cnn_jax.diagnostics.preflight.subject import Subject, read

CLASSES, EACH = 10, 60  # most of them, and most examples of a class
FEWEST = 60  # examples of a split
SIDE: Final = 16  # pixels, of the images that are compared
CERTAIN, NONE = 5.0, 3.0  # deviations above chance: labels agree; not above it: they do not


@dataclass(frozen=True)
class Agreement:
    """How often neighbours share a label.

    Attributes:
        share: of the examples.
        chance: the share if labels were drawn anew.
        deviations: standard deviations above chance.
        by: `pixels`, `spectrum` or `colours`: that in which they agree best.
        examples: that were compared.
    """

    share: float
    chance: float
    deviations: float
    by: str
    examples: int

    def __str__(self) -> str:
        return f"{100 * self.share:.0f} % (chance {100 * self.chance:.0f} %, by {self.by})"

    def to_tree(self) -> dict[str, Any]:
        """Returns the figures as JSON holds them."""
        return dict(vars(self))


def label_agreement(subject: Subject) -> list[Finding]:
    """Compares the labels of nearest neighbours within train, within test, and across."""
    splits = {name: subject.run.dataset.splits[name] for name in ("train", "test")}
    classes = _classes(splits)
    samples = {name: _sample(split, classes) for name, split in splits.items()}
    features = {name: _features(images) for name, (images, _) in samples.items()}
    labels = {name: labels for name, (_, labels) in samples.items()}
    found = {name: agreement(features[name], labels[name]) for name in samples}
    by = found["train"].by if found["train"] else "pixels"
    kinds = [{by: one[by]} if one else {} for one in (features["test"], features["train"])]
    found["test_in_train"] = agreement(kinds[0], labels["test"], kinds[1], labels["train"])
    figures = {name: one.to_tree() for name, one in found.items() if one}
    train, test, across = found.values()
    if train is None:
        few = f"fewer than {FEWEST} examples or one class: not judged"
        return [Finding("labels", OK, few, figures=figures)]
    said = f"neighbours among {train.examples} of train share a label: {train}"
    if test is not None:
        said += f"; {test.examples} of test: {test}"
    if train.deviations < NONE and test is not None and test.deviations > CERTAIN:
        remedy = "the labels of train belong to other images: shuffled, or a list out of step"
        return [Finding("labels", FAIL, said, remedy, figures)]
    if train.deviations < NONE:
        remedy = (
            "shuffled labels look so, and so do classes that no pixel, spectrum or colour tells: "
            "look at the sheet"
        )
        return [Finding("labels", WARN, said, remedy, figures)]
    apart = across is not None and across.deviations < 0
    if test is not None and min(train.deviations, test.deviations) > CERTAIN and apart:
        said += f"; of test in train: {across}"
        remedy = "train and test number their classes otherwise: look at the names and their order"
        return [Finding("labels", FAIL, said, remedy, figures)]
    return [Finding("labels", OK, said, figures=figures)]


def agreement(
    here: dict[str, np.ndarray],
    labels: np.ndarray,
    there: dict[str, np.ndarray] | None = None,
    others: np.ndarray | None = None,
) -> Agreement | None:
    """Returns how often the nearest neighbour has the same label; None of too few examples.

    Args:
        here: kind of feature -> (N, features).
        labels: int (N,).
        there: among which the neighbour is; None: among the others of `here`.
        others: their labels.
    """
    among = labels if others is None else others
    if min(len(labels), len(among)) < FEWEST or len(np.unique(labels)) < 2:
        return None
    classes = max(labels.max(), among.max()) + 1
    mine, theirs = (np.bincount(values, minlength=classes) for values in (labels, among))
    chance = float(mine / mine.sum() @ (theirs / theirs.sum()))
    # Neighbours are not independent: one example may be that of many others, hence the 2.
    deviation = math.sqrt(2 * chance * (1 - chance) / len(labels))
    best = None
    for by, features in here.items():
        against = features if there is None else there[by]
        distances = _squares(features)[:, None] + _squares(against) - 2 * features @ against.T
        if there is None:
            np.fill_diagonal(distances, np.inf)
        share = float(np.mean(among[distances.argmin(1)] == labels))
        one = Agreement(share, chance, (share - chance) / deviation, by, len(labels))
        best = one if best is None or one.deviations > best.deviations else best
    return best


def _squares(features: np.ndarray) -> np.ndarray:
    return np.square(features).sum(1)


def _classes(splits: dict[str, AnySplit]) -> np.ndarray | None:
    """Some classes that all splits have, evenly spread; None where labels are not known yet."""
    known = [split.labels for split in splits.values() if split.labels is not None]
    if len(known) < len(splits):
        return None
    shared = set(np.unique(known[0])).intersection(*(np.unique(one) for one in known[1:]))
    classes = np.array(sorted(shared), np.int64)
    return classes[np.linspace(0, len(classes) - 1, min(CLASSES, len(classes))).astype(int)]


def _sample(split: AnySplit, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels: some of each class, evenly spread over the split."""
    if classes is None or split.labels is None:
        count = min(len(split), CLASSES * EACH)
        ids = np.linspace(0, len(split) - 1, count).astype(np.int64)
    else:
        of_class = [np.flatnonzero(split.labels == one) for one in classes]
        spread = [np.linspace(0, len(o) - 1, min(EACH, len(o))).astype(int) for o in of_class]
        ids = np.concatenate([o[i] for o, i in zip(of_class, spread, strict=True)] or [[]])
    if not len(ids):
        return np.zeros((0, 1, 1, 1), np.uint8), np.zeros(0, np.int64)
    batch = read(split, ids.astype(np.int64), train=False)
    return batch.images, batch.labels.astype(np.int64)


def _features(images: np.ndarray) -> dict[str, np.ndarray]:
    """Of each image: pixels in small, the size of its frequencies, and its colours."""
    if not len(images):
        return {}
    small = np.stack([_small(image) for image in images])
    grey = small.mean(-1)
    frequencies = np.abs(np.fft.rfft2(grey - grey.mean((1, 2), keepdims=True)))
    pixels = images.reshape(len(images), -1, images.shape[-1]) / 255
    colours = np.concatenate([pixels.mean(1), pixels.std(1)], axis=1)
    return {
        "pixels": _of_length_one(small.reshape(len(images), -1)),
        "spectrum": _of_length_one(np.log1p(frequencies).reshape(len(images), -1)),
        "colours": colours,
    }


def _small(image: np.ndarray) -> np.ndarray:
    side = (min(SIDE, image.shape[1]), min(SIDE, image.shape[0]))
    small = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
    return small.reshape(*side[::-1], -1).astype(np.float64) / 255


def _of_length_one(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
