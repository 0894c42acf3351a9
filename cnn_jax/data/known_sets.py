"""Which published data set images are, told by their counts and, where it is known, by a digest.

A folder of images and a store say no name. `config.data.holds` says it for them; where nobody does,
counts say which sets they may be, and the digest of the test images whether they are.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import numpy as np

from cnn_jax.data.dataset import AnySplit, Dataset
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError

DIGEST_BYTES = 16


class Known(NamedTuple):
    """A set whose sizes are published.

    Attributes:
        train: examples to train on.
        test: examples of the split whose error papers report.
        classes: how many.
        channels: of an image.
        side: height and width of an image; None: they differ.
        test_digest: of the test images and labels, see `digest_of`; empty: not known.
    """

    train: int
    test: int
    classes: int
    channels: int = 3
    side: int | None = None
    test_digest: str = ""


# By the names of TFDS. Russakovsky et al. 2015, Table 2; Krizhevsky 2009, chapter 3; LeCun et al.
# 1998, section III.A; Xiao et al. 2017; Clanuwat et al. 2018; Netzer et al. 2011, section 3.
OF_MNIST = "9cb5c2ddd887771a86e0a1e105eab7424581904389ddecf666ad6a0b2b4f5e3d"
KNOWN: Final = {
    "cifar10": Known(50_000, 10_000, 10, side=32),
    "cifar100": Known(50_000, 10_000, 100, side=32),
    "fashion_mnist": Known(60_000, 10_000, 10, channels=1, side=28),
    "imagenet2012": Known(1_281_167, 50_000, 1000),
    "kmnist": Known(60_000, 10_000, 10, channels=1, side=28),
    "mnist": Known(60_000, 10_000, 10, channels=1, side=28, test_digest=OF_MNIST),
    "svhn_cropped": Known(73_257, 26_032, 10, side=32),
}


def like(dataset: Dataset) -> list[str]:
    """Returns the sets that have as many examples and classes.

    Args:
        dataset: as its source holds it; validation may have been held out of train.
    """
    counts = _counts(dataset)
    return [name for name, known in KNOWN.items() if known[:3] == counts]


def lacking(name: str, dataset: Dataset) -> list[str]:
    """Returns in what a set has other counts than the published one that it is said to be.

    Args:
        name: a key of `KNOWN`, or another name, of which nothing is known.
        dataset: as `like`.
    """
    if name not in KNOWN:
        return []
    parts = zip(("train", "test", "classes"), _counts(dataset), KNOWN[name][:3], strict=True)
    return [f"{part}: {has:,} here, {name} has {had:,}" for part, has, had in parts if has != had]


def is_published(name: str, dataset: Dataset) -> bool | None:
    """Returns whether test images and labels are those of a set; None where no digest is known."""
    if name not in KNOWN or not KNOWN[name].test_digest:
        return None
    return digest_of(dataset.test) == KNOWN[name].test_digest


def digest_of(split: AnySplit) -> str:
    """Returns the SHA-256 of the images and labels of a split, whatever their order.

    Args:
        split: as its source holds it, not cropped. An image that cannot be read counts as empty.
    """
    digests = []
    for example in range(len(split)):
        record = split.record(example)
        try:
            pixels = pixels_of(record, split.channels)
        except UnreadableError:
            pixels = np.zeros((0, 0, split.channels), np.uint8)
        head = f"{record.label} {pixels.shape} ".encode()
        digests.append(hashlib.blake2b(head + pixels.tobytes(), digest_size=DIGEST_BYTES).digest())
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def said(dataset: Dataset) -> list[str]:
    """Returns what is said at the start of a run of a set of which nobody says which it is."""
    if not (names := like(dataset)):
        return []
    return [
        f"there are as many images and classes as in {' or '.join(names)}: if it is that set, "
        f"--config.data.holds={names[-1]} says so to experiments.reproduce"
    ]


def _counts(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.train) + len(dataset.validation), len(dataset.test), dataset.num_classes
