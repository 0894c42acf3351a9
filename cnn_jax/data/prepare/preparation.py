"""From what a user has to data that a run can read: verified, counted and written down."""

from __future__ import annotations

import json
import shutil
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
    if wanted.store is not None:
        parse_format(wanted.store)
    wanted.data_dir.mkdir(parents=True, exist_ok=True)
    if wanted.folder is not None:
        dataset, manifest, told = _folder(wanted, report)
    else:
        dataset, manifest, told = _tfds(wanted, report)
    lines = [totals(manifest), *manifest.get("partial", [])]
    lines += _components(dataset, report) if wanted.pca else []
    return lines + (_store(wanted, dataset, manifest, report) if wanted.store else told)


def _folder(wanted: Wanted, report: Report) -> tuple[Dataset, dict[str, Any], list[str]]:
    if wanted.dataset != FOLDER:
        raise InputError(f"--folder goes with --dataset=folder, not {wanted.dataset}")
    assert wanted.folder is not None
    dataset = folder(str(wanted.folder), test_fraction=wanted.test_fraction)
    # Looked at every time: the images stay the user's, and may have changed.
    manifest = scan(dataset, report)
    directory = wanted.data_dir / wanted.folder.resolve().name
    directory.mkdir(parents=True, exist_ok=True)
    write_manifest(directory, manifest)
    source = f"--config.data.source=folder --config.data.directory={wanted.folder}"
    return dataset, manifest, [f"manifest: {directory / MANIFEST}", f"train with {source}"]


def _tfds(wanted: Wanted, report: Report) -> tuple[Dataset, dict[str, Any], list[str]]:
    name, data_dir = wanted.dataset, wanted.data_dir
    directory = find_built(data_dir, name)
    if directory is None:
        directory = _verified(wanted, report)
    manifest = read_manifest(directory)
    arguments = reported_split(open_builder(directory).info, name)
    dataset = tfds(str(data_dir), name=name, **arguments)
    if manifest is None:  # built by TFDS itself, elsewhere
        manifest = _looked_at(wanted, dataset, directory, report)
    check_counts(manifest, dataset, directory)
    given = "".join(f" --config.data.kwargs.{k}={v}" for k, v in arguments.items())
    source = (
        f"--config.data.source=tfds --config.data.directory={data_dir} "
        f"--config.data.kwargs.name={name}{given}"
    )
    return dataset, manifest, [f"manifest: {directory / MANIFEST}", f"train with {source}"]


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
    name = wanted.folder.resolve().name if wanted.folder else wanted.dataset.replace("/", "-")
    final = wanted.data_dir / f"{name}_{wanted.store}"
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
        f"train with --config.data.source=store --config.data.directory={final}",
    ]


def _components(dataset: Dataset, report: Report) -> list[str]:
    assert not dataset.train.resident
    found = components_of(covariance_of_files(dataset.train, report))
    return [f"principal components of RGB: {json.dumps(found.to_tree())}"]
