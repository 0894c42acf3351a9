"""Checks of the data alone: how many examples a class has, and what stands in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from cnn_jax.data.dataset import AnySplit, Dataset
from cnn_jax.data.regular_files import printable
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding, named
from cnn_jax.diagnostics.preflight.subject import Subject, read
from cnn_jax.training.progress import Waiting

UNEVEN: Final = 10  # times as many examples as another class
MOST_READ: Final = 20_000  # images of a split that is not in memory
MOST_COUNTED: Final = 2000  # of a split whose labels are known only with its images
FEW: Final = 1e-3  # of a split: so many copies the published sets have themselves
WORKERS: Final = 8


def class_counts(subject: Subject) -> list[Finding]:
    """Counts the examples of each class in train and test."""
    dataset = subject.run.dataset
    names = [printable(name) for name in dataset.class_names]
    counts, looked = {}, {}
    for split in ("train", "test"):
        labels = _labels(dataset.splits[split])
        counts[split] = np.bincount(labels, minlength=len(names))
        looked[split] = f"{len(labels):,} examples of {split}"
    train, test = counts["train"], counts["test"]
    figures = {split: count.tolist() for split, count in counts.items()}
    said = f"{len(names)} classes in {looked['train']}: {train.min():,} to {train.max():,} each"
    whole = len(dataset.train) == train.sum()
    absent = np.flatnonzero(train == 0)
    tested = [names[i] for i in absent if test[i]]
    if whole and tested:
        return [
            Finding(
                "classes",
                FAIL,
                f"{said}; test has {len(tested)} classes that train has not: {named(tested)}",
                "take the images in, or leave the class out of test; a fold may have taken them: "
                "--config.data.validation_rule=interleaved",
                figures,
            )
        ]
    if whole and len(absent):
        missing = named([names[i] for i in absent])
        remedy = "no image will ever be called so; is the list of classes that of this data?"
        said = f"{said}; {len(absent)} have none: {missing}"
        return [Finding("classes", WARN, said, remedy, figures)]
    present = train[train > 0]
    if whole and present.max() > UNEVEN * present.min():
        rare = named([names[i] for i in np.argsort(train, kind="stable") if train[i]])
        remedy = "top-1 error hides rare classes: look at each, by evaluate --protocol=centre"
        said = f"{said}; most uneven: {rare} are rare"
        return [Finding("classes", WARN, said, remedy, figures)]
    if len(test) and (test == 0).any() and test.sum() == len(dataset.test) >= 10 * len(names):
        missing = named([names[i] for i in np.flatnonzero(test == 0)])
        remedy = "nothing will be known of them: add images to test"
        return [Finding("classes", WARN, f"{said}; test lacks {missing}", remedy, figures)]
    return [Finding("classes", OK, said, figures=figures)]


def _labels(split: AnySplit) -> np.ndarray:
    """The labels of a split, or where they are known only with the images those of some of them."""
    if split.labels is not None:
        return split.labels
    count = min(len(split), MOST_COUNTED)
    ids = np.linspace(0, len(split) - 1, count).astype(np.int64)
    return read(split, ids, train=False).labels


def duplicates(subject: Subject) -> list[Finding]:
    """Looks for images of validation and test that stand in train, pixel by pixel."""
    dataset = subject.run.dataset
    found = {name: _digests(name, split) for name, split in dataset.splits.items()}
    where: dict[bytes, int] = {}
    for example, digest in found["train"]:
        where.setdefault(digest, example)
    compared = ", ".join(
        f"{len(found[name]):,} of {len(split):,} of {name}"
        for name, split in dataset.splits.items()
        if len(split)
    )
    copies = {
        name: [(example, where[digest]) for example, digest in found[name] if digest in where]
        for name in ("validation", "test")
    }
    inside = len(found["train"]) - len(where)
    figures = {
        "compared": {name: len(digests) for name, digests in found.items()},
        "copies": {name: pairs[:100] for name, pairs in copies.items()},
        "copies_in_all": {name: len(pairs) for name, pairs in copies.items()},
        "twice_in_train": inside,
    }
    said = f"pixels of {compared}: "
    level, parts = OK, []
    for name, pairs in copies.items():
        if pairs:
            bad = len(pairs) > FEW * len(found[name]) and name == "test"
            level = FAIL if bad or level == FAIL else WARN
            parts.append(f"{len(pairs):,} of {name} stand in train: {_pairs(dataset, name, pairs)}")
    if not parts:
        said += "no image of one split in another" + (f"; {inside} twice in train" * (inside > 0))
        return [Finding("duplicates", OK, said, figures=figures)]
    remedy = "take them out of train: a test error over images that were trained on is too low"
    return [Finding("duplicates", level, said + "; ".join(parts), remedy, figures)]


def _pairs(dataset: Dataset, name: str, pairs: list[tuple[int, int]]) -> str:
    split, train = dataset.splits[name], dataset.train
    return named([f"{_name(split, here)} = {_name(train, there)}" for here, there in pairs], 2)


def _name(split: AnySplit, example: int) -> str:
    return printable(split.name(example))


def _digests(name: str, split: AnySplit) -> list[tuple[int, bytes]]:
    """Example and digest of its pixels, of all that are in memory, or of the first that are not."""
    if split.resident:
        images = split.images
        digest: Callable[[int], bytes | None] = lambda i: _digest(images[i])  # noqa: E731
        return [(i, made) for i in range(len(split)) if (made := digest(i))]

    def decoded(example: int) -> bytes | None:
        try:
            return _digest(pixels_of(split.record(example), split.channels))
        except UnreadableError:
            return None

    count = min(len(split), MOST_READ)
    with ThreadPoolExecutor(WORKERS) as pool, Waiting(f"reading images of {name}") as waiting:

        def counted() -> Iterator[tuple[int, bytes]]:
            for example, made in enumerate(pool.map(decoded, range(count))):
                waiting.done(example + 1, count)
                if made:
                    yield example, made

        return list(counted())


def _digest(pixels: np.ndarray) -> bytes:
    shape = str(pixels.shape).encode()
    return hashlib.blake2b(
        np.ascontiguousarray(pixels).tobytes(), key=shape, digest_size=16
    ).digest()
