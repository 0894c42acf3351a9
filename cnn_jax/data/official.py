"""Sources that read the official files of the classic data sets as they are.

No TensorFlow, nothing downloaded, nothing written. `config.data.directory` holds the files under
their published names; `official_sets` says which, `official_files` what is said of others. With
`checked` (the default) a file that differs from the published one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data import official_sets
from cnn_jax.data.array_records import ArrayRecords
from cnn_jax.data.cifar_batches import read_batches
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.idx import check_pairs, images_of, labels_of
from cnn_jax.data.official_files import Content, find_idx, fingerprint, folder_of, read
from cnn_jax.data.official_sets import CifarSet, IdxSet
from cnn_jax.data.regular_files import printable
from cnn_jax.data.streams import whole_split
from cnn_jax.data.svhn_files import digits_of, find_mat

Arrays = tuple[np.ndarray, np.ndarray]


def mnist(directory: str | None, *, checked: bool = True) -> Dataset:
    """Returns MNIST out of its four IDX files: 60,000 and 10,000 grey images of 28x28.

    Args:
        directory: where the files lie: `config.data.directory`.
        checked: whether files that differ from the published ones are refused.

    Raises:
        InputError: a file is missing, cut short, renamed, exchanged for another or damaged.
    """
    return _idx_set(directory, official_sets.MNIST, checked)


def fashion_mnist(directory: str | None, *, checked: bool = True) -> Dataset:
    """Returns Fashion-MNIST out of its four IDX files; see `mnist`."""
    return _idx_set(directory, official_sets.FASHION_MNIST, checked)


def kmnist(directory: str | None, *, checked: bool = True) -> Dataset:
    """Returns Kuzushiji-MNIST out of its four IDX files; see `mnist`."""
    return _idx_set(directory, official_sets.KMNIST, checked)


def emnist(
    directory: str | None,
    *,
    split: Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"] = "balanced",
    checked: bool = True,
) -> Dataset:
    """Returns one of EMNIST's six splits, its images upright: the files have them transposed.

    Args:
        directory: with the files of the split, their folder `gzip/`, or `gzip.zip`.
        split: which one.
        checked: as `mnist`.

    Raises:
        InputError: as `mnist`.
    """
    return _idx_set(directory, official_sets.EMNIST[split], checked)


def cifar10(directory: str | None, *, checked: bool = True) -> Dataset:
    """Returns CIFAR-10, Python or binary version: 50,000 and 10,000 images of 32x32 in RGB.

    Args:
        directory: with the unpacked folder, its files, or the `.tar.gz` as it was downloaded.
        checked: as `mnist`.

    Raises:
        InputError: as `mnist`.
    """
    return _cifar(directory, official_sets.CIFAR10, "labels", checked)


def cifar100(
    directory: str | None, *, labels: Literal["fine", "coarse"] = "fine", checked: bool = True
) -> Dataset:
    """Returns CIFAR-100, Python or binary version, its classes or the 20 groups of them.

    Args:
        directory: as `cifar10`.
        labels: the 100 classes, or the 20 groups of them.
        checked: as `mnist`.

    Raises:
        InputError: as `mnist`.
    """
    return _cifar(directory, official_sets.CIFAR100, f"{labels}_labels", checked)


def svhn(directory: str | None, *, extra: bool = False, checked: bool = True) -> Dataset:
    """Returns SVHN's cropped digits: 73,257 and 26,032 images of 32x32 in RGB.

    Args:
        directory: with `train_32x32.mat` and `test_32x32.mat`.
        extra: whether the 531,131 of `extra_32x32.mat` are trained on, too.
        checked: as `mnist`.

    Raises:
        InputError: as `mnist`.
    """
    root = folder_of(directory, "SVHN")
    files = (official_sets.SVHN_TRAIN, official_sets.SVHN_TEST)
    found = find_mat(root, (*files, official_sets.SVHN_EXTRA) if extra else files)
    parts = [digits_of(one, checked) for one in found]
    images, labels, contents = (list(column) for column in zip(*parts, strict=True))
    train = (images[0], labels[0])
    if extra:
        train = (np.concatenate([images[0], images[2]]), np.concatenate([labels[0], labels[2]]))
    name, taken = "SVHN", " with extra" if extra else ""
    return _dataset(
        f"{name}{taken}", root, train, (images[1], labels[1]), official_sets.DIGITS, contents
    )


def _idx_set(directory: str | None, idx: IdxSet, checked: bool) -> Dataset:
    root = folder_of(directory, idx.title)
    found = find_idx(root, idx)
    contents = [read(one, checked) for one in found]
    splits = []
    for at in (0, 2):
        images = images_of(found[at], contents[at], checked)
        labels = labels_of(found[at + 1], contents[at + 1], checked) - idx.first_label
        check_pairs(found[at], found[at + 1], (len(images), len(labels)))
        if idx.transposed:
            images = images.swapaxes(1, 2)
        if labels.min() < 0 or labels.max() >= len(idx.classes):
            low, high = labels.min() + idx.first_label, labels.max() + idx.first_label
            raise found[at + 1].refused(
                f"has labels from {low} to {high}: {idx.title} has {len(idx.classes)} classes, "
                f"from {idx.first_label} on"
            )
        splits.append((images, labels))
    train, test = splits
    if train[0].shape[1:] != test[0].shape[1:]:
        sizes = " and ".join("x".join(map(str, split[0].shape[1:3])) for split in splits)
        raise InputError(f"{printable(str(root))}: images of train and test are {sizes}")
    return _dataset(idx.title, root, train, test, idx.classes, contents)


def _cifar(directory: str | None, cifar: CifarSet, label: str, checked: bool) -> Dataset:
    root = folder_of(directory, cifar.title)
    batches = read_batches(root, cifar, label, checked)
    return _dataset(
        f"{cifar.title}{' coarse' if label.startswith('coarse') else ''}",
        root,
        batches.train,
        batches.test,
        cifar.labels[label],
        batches.contents,
    )


def _dataset(
    title: str,
    root: Path,
    train: Arrays,
    test: Arrays,
    classes: tuple[str, ...],
    contents: Sequence[Content],
) -> Dataset:
    split = whole_split(ArrayRecords(*train, f"{title} train"))
    return Dataset(
        train=split,
        validation=split.take(np.arange(0)),
        test=whole_split(ArrayRecords(*test, f"{title} test")),
        class_names=classes,
        fingerprint=fingerprint(title, contents),
        notices=(f"{printable(str(root))}: {_told(title, contents)}",),
    )


def _told(title: str, contents: Sequence[Content]) -> str:
    if all(content.known for content in contents):
        return f"the official files of {title}, known by their MD5"
    return (
        f"files of {title}; of some no MD5 is published in this form, or they differ: sizes and "
        "counts alone are checked"
    )
