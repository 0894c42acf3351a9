"""What a directory holds by its names: which source reads it."""

from __future__ import annotations

import os
from pathlib import Path

from cnn_jax.data import official_sets
from cnn_jax.data.layout import split_of
from cnn_jax.data.official_files import spellings
from cnn_jax.data.regular_files import printable

STORE, TFDS = "store.json", "dataset_info.json"
MOST_FOLDERS = 200  # that are looked into for a set of TFDS


def source_of(root: Path) -> tuple[str, str] | None:
    """Returns the source that reads a directory, and what lies there that says so.

    Args:
        root: the directory.
    """
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return None
    if STORE in names:
        return "store", STORE
    if found := _official(root, set(names)):
        return found
    if prepared := _prepared(root, names):
        return "tfds", prepared
    splits = [name for name in names if split_of(name) and os.path.isdir(root / name)]
    if any(split_of(name) == "train" for name in splits):
        return "folder", " and ".join(f"{printable(name)}/" for name in splits)
    return None


def _official(root: Path, names: set[str]) -> tuple[str, str] | None:
    for split, idx in official_sets.EMNIST.items():
        for name in spellings(idx.files[0].name):
            if any(os.path.isfile(root / folder / name) for folder in idx.folders):
                return "emnist", f"{name}, and --config.data.kwargs.split={split}"
    for name in spellings(official_sets.MNIST.files[0].name):
        if name in names:
            return "mnist", f"{name} (of MNIST, Fashion-MNIST or Kuzushiji-MNIST)"
        for idx in (official_sets.MNIST, official_sets.FASHION_MNIST, official_sets.KMNIST):
            if os.path.isfile(root / idx.folders[-1] / name):
                return idx.name, f"{idx.folders[-1]}/{name}"
    for cifar in (official_sets.CIFAR10, official_sets.CIFAR100):
        for version in cifar.versions:
            first = version.train[0].name
            known = [version.archive.name, version.folder, *([first] * (len(first) > len("train")))]
            if lying := [name for name in known if name in names]:
                return cifar.name, lying[0]
    if official_sets.SVHN_TRAIN.name in names:
        return "svhn", official_sets.SVHN_TRAIN.name
    return None


def _prepared(root: Path, names: list[str]) -> str:
    for name in names[:MOST_FOLDERS]:
        if os.path.isdir(root / name) and (
            os.path.isfile(root / name / TFDS)
            or any((root / name).glob(f"*/{TFDS}"))  # a folder for each version
        ):
            return f"{printable(name)}/"
    return ""


def told(directory: str | None, asked: str) -> str:
    """Returns which source reads a directory, for the error of another one; empty: that one.

    Args:
        directory: `config.data.directory`.
        asked: the source that was to read it.
    """
    found = source_of(Path(directory)) if directory is not None else None
    if found is None or found[0] == asked:
        return ""
    if found[0] == "mnist" and asked in ("fashion_mnist", "kmnist"):
        return ""  # their files have the same names
    return f"What lies there is {found[1]}: --config.data.source={found[0]}"
