"""From what a user has to data that a run can read: verified, counted and written down."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import (
    MANIFEST,
    Report,
    check_counts,
    read_manifest,
    scan,
    totals,
    write_manifest,
)
from cnn_jax.data.moments import covariance_of_files
from cnn_jax.data.pca import components_of
from cnn_jax.data.prepare import ilsvrc
from cnn_jax.data.prepare.store_building import build_store, parse_format
from cnn_jax.data.prepare.tfds_building import build, find_built, finish
from cnn_jax.data.store import DESCRIPTION, describe, store
from cnn_jax.data.tfds import open_builder, tfds

FOLDER, UNVERIFIED = "folder", ".unverified-"


@dataclass(frozen=True)
class Wanted:
    """What is to be prepared.

    Attributes:
        dataset: `imagenet2012`, `folder`, or a name of TFDS.
        data_dir: where it is to stand.
        tars: folder of the official tar files.
        digests: whether their digests are compared.
        partial: whether fewer images are accepted.
        folder: of the images, for `folder`.
        test_fraction: for a folder without splits.
        store: `uint8_256` or the like, or None.
        pca: whether the principal components of RGB are computed from train.
    """

    dataset: str
    data_dir: Path
    tars: Path | None = None
    digests: bool = False
    partial: bool = False
    folder: Path | None = None
    test_fraction: float = 0.1
    store: str | None = None
    pca: bool = False


def prepare(wanted: Wanted, report: Report) -> list[str]:
    """Prepares what is not prepared yet, and returns what to tell the user.

    Args:
        wanted: what is to be prepared.
        report: told of the progress.

    Raises:
        InputError: what the user has cannot be used.
    """
    _check(wanted)
    if wanted.folder is not None:
        dataset, manifest, told = _folder(wanted, report)
    else:
        dataset, manifest, told = _tfds(wanted, report)
    lines = [*dataset.notices, totals(manifest), *manifest.get("partial", [])]
    lines += _components(dataset, report) if wanted.pca else []
    return lines + (_store(wanted, dataset, manifest, report) if wanted.store else told)


def _check(wanted: Wanted) -> None:
    """Refuses what cannot be prepared before anything is written or read through.

    Raises:
        InputError: one sentence for each thing that is wrong.
    """
    problems = []
    if {"", ".", ".."} & set(wanted.dataset.split("/")):
        problems.append(f"--dataset={wanted.dataset}: no name of a set; known are those of TFDS")
    if wanted.dataset == FOLDER and wanted.folder is None:
        problems.append("--dataset=folder needs --folder=DIR")
    if wanted.folder is not None:
        if wanted.dataset != FOLDER:
            problems.append(f"--folder goes with --dataset=folder, not {wanted.dataset}")
        if not os.path.isdir(wanted.folder):
            problems.append(f"--folder={wanted.folder}: no such folder")
        if not 0 < wanted.test_fraction < 1:
            problems.append(f"--test_fraction={wanted.test_fraction}: must be between 0 and 1")
    if wanted.store is not None:
        try:
            parse_format(wanted.store)
        except InputError as error:
            problems += error.problems
    # The nearest folder above that exists decides whether those below can be made.
    data_dir = wanted.data_dir.absolute()
    nearest = next(p for p in (data_dir, *data_dir.parents) if os.path.lexists(p))
    if not os.path.isdir(nearest):
        problems.append(f"--data_dir={wanted.data_dir}: {nearest} is no folder")
    elif not os.access(nearest, os.W_OK | os.X_OK):
        problems.append(f"--data_dir={wanted.data_dir}: {nearest} cannot be written into")
    if problems:
        raise InputError(problems)
    if wanted.store is not None:
        _check_place(_place_of_store(wanted))


def _check_place(final: Path) -> None:
    """Refuses a place in which a store could not be put in the end."""
    occupied = os.path.lexists(final) and not (final.is_dir() and not any(final.iterdir()))
    if occupied and not (final / DESCRIPTION).is_file():
        raise InputError(f"{final} is there already and is no store: remove or rename it")


def _claim(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory} cannot be made: {error.strerror}") from error


def _folder(wanted: Wanted, report: Report) -> tuple[Dataset, dict[str, Any], list[str]]:
    assert wanted.folder is not None
    dataset = folder(str(wanted.folder), test_fraction=wanted.test_fraction)
    directory = wanted.data_dir / wanted.folder.resolve().name
    _claim(directory)
    # Looked at every time: the images stay the user's, and may have changed.
    manifest = scan(dataset, report)
    write_manifest(directory, manifest)
    apart = wanted.test_fraction
    kwargs = {} if apart == Wanted.test_fraction else {"test_fraction": apart}
    told = [f"manifest: {directory / MANIFEST}", _train_with("folder", wanted.folder, kwargs)]
    return dataset, manifest, told


def _tfds(wanted: Wanted, report: Report) -> tuple[Dataset, dict[str, Any], list[str]]:
    name, data_dir = wanted.dataset, wanted.data_dir
    _claim(data_dir)
    directory = find_built(data_dir, name)
    if directory is None:
        directory = _verified(wanted, report)
    manifest = read_manifest(directory)
    arguments = reported_split(open_builder(directory).info, name)
    dataset = tfds(str(data_dir), name=name, **arguments)
    if manifest is None:  # built by TFDS itself, elsewhere
        manifest = _looked_at(wanted, dataset, directory, report)
    check_counts(manifest, dataset, directory)
    told = _train_with("tfds", data_dir, {"name": name, **arguments})
    return dataset, manifest, [f"manifest: {directory / MANIFEST}", told]


def _train_with(source: str, directory: Path, kwargs: Mapping[str, Any]) -> str:
    """Returns the overrides with which any config trains on what was prepared."""
    arguments = {f"kwargs.{name}": value for name, value in kwargs.items()}
    keys = {"source": source, "directory": directory} | arguments
    return "train with " + shlex.join(f"--config.data.{key}={value}" for key, value in keys.items())


def _verified(wanted: Wanted, report: Report) -> Path:
    """Builds a set, looks at it, and only then puts it in its place.

    A set that is built and not yet looked at waits in a folder of its own, so that a kill or a
    wrong count in between does not cost the building.
    """
    name = wanted.dataset
    waiting = wanted.data_dir / f"{UNVERIFIED}{name.replace('/', '-')}"
    built = find_built(waiting, name)
    if built is None:
        if name == ilsvrc.NAME:
            if wanted.tars is None:
                raise InputError(f"--dataset={name} needs --tars=DIR: the official tar files")
            ilsvrc.verify(wanted.tars, wanted.digests, wanted.partial, report)
        built = build(waiting, name, wanted.tars)
    arguments = reported_split(open_builder(built).info, name)
    _looked_at(wanted, tfds(str(waiting), name=name, **arguments), built, report)
    final = wanted.data_dir / built.relative_to(waiting)
    finish(built, final)
    shutil.rmtree(waiting)
    return final


def _looked_at(wanted: Wanted, dataset: Dataset, directory: Path, report: Report) -> dict[str, Any]:
    manifest = scan(dataset, report) | {"dataset": wanted.dataset}
    if wanted.dataset == ilsvrc.NAME:
        manifest["partial"] = ilsvrc.check_counts(manifest, wanted.partial)
    write_manifest(directory, manifest)
    return manifest


def reported_split(info: Any, name: str) -> dict[str, str]:
    """Returns which split is reported where it is not `test`: papers on ILSVRC use validation."""
    if name != ilsvrc.NAME and "test" in info.splits:
        return {}
    for split in ("validation", "train"):
        if split in info.splits:
            return {"test": split}
    raise InputError(f"{name} has no train split; its splits are {', '.join(info.splits)}")


def _store(wanted: Wanted, dataset: Dataset, manifest: dict[str, Any], report: Report) -> list[str]:
    final = _place_of_store(wanted)
    if not (final / DESCRIPTION).is_file():
        assert wanted.store is not None
        build_store(dataset, manifest, final, wanted.store, report)
    store(str(final))  # what was there already may be damaged
    made_from = describe(final).made_from
    if made_from != manifest["fingerprint"]:
        raise InputError(
            f"{final} was made from other images: their fingerprint was {made_from:.12}, now it is "
            f"{manifest['fingerprint']:.12}; remove it, and it is made anew"
        )
    size = sum(p.stat().st_size for p in final.rglob("*") if p.is_file())
    return [
        f"store: {final}, {size / 1e9:,.2f} GB",
        _train_with("store", final, {}),
    ]


def _place_of_store(wanted: Wanted) -> Path:
    name = wanted.folder.resolve().name if wanted.folder else wanted.dataset.replace("/", "-")
    return wanted.data_dir / f"{name}_{wanted.store}"


def _components(dataset: Dataset, report: Report) -> list[str]:
    assert not dataset.train.resident
    found = components_of(covariance_of_files(dataset.train, report))
    return [f"principal components of RGB: {json.dumps(found.to_tree())}"]
