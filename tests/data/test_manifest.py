"""What a prepared set contains, written down."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import MANIFEST, check_counts, read_manifest, scan, write_manifest
from tests.data import files
from tests.data.files import quiet


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return files.folder_with_odd_files(tmp_path / "photographs")


def test_what_a_manifest_says(photographs: Path) -> None:
    manifest = scan(folder(str(photographs)), quiet)
    train = manifest["splits"]["train"]
    assert train["images"] == 39
    assert train["images_of_class"] == {"kind_0": 10, "kind_1": 19, "kind_2": 10}
    inside = "train/kind_1/"
    assert train["odd_files"] == {
        "cmyk": [inside + "cmyk.JPEG"],
        "grey": [inside + "grey.JPEG"],
        "png_named_jpeg": [inside + "png.JPEG"],
        "rotated": [inside + "rotated.JPEG"],
        "unreadable": [inside + f"{name}.JPEG" for name in ("empty", "text", "truncated")],
    }
    assert scan(folder(str(photographs)), quiet)["fingerprint"] == manifest["fingerprint"]
    (photographs / "val" / "kind_0" / "500.jpg").write_bytes(files.odd_files()["tiny"])
    assert scan(folder(str(photographs)), quiet)["fingerprint"] != manifest["fingerprint"]


def good() -> dict[str, Any]:
    split = {"images": 3, "classes": 2, "images_of_class": {"a": 1, "b": 2}, "odd_files": {}}
    return {"format_version": 1, "fingerprint": "abc", "splits": {"train": split}}


def changed(**change: Any) -> dict[str, Any]:
    made = good()
    made["splits"]["train"] |= change
    return made


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("", "is no JSON, or was cut short"),
        ('{"fingerprint": "a', "cut short"),
        ("\xff", "cut short"),
        ("[" * 100_000, "cut short"),
        ([], "holds no object"),
        ({}, "has no fingerprint"),
        (good() | {"format_version": 2}, "by a newer version .* is 2, this one reads up to 1"),
        (good() | {"format_version": "1"}, "its format_version is '1'"),
        (good() | {"fingerprint": 7}, "has no fingerprint"),
        (good() | {"splits": []}, "its splits are no object"),
        (good() | {"splits": {"train": 3}}, "'train' it lacks images, classes"),
        (changed(images=4), "tells 4 images of 2 classes, and counts 3 of 2"),
        (changed(classes=1), "tells 3 images of 1 classes, and counts 3 of 2"),
        (changed(images="3"), "tells 3 images"),
        (changed(images_of_class={"a": 1.5, "b": 1.5}), "are no positive number"),
        (changed(images_of_class={"a": 4, "b": -1}), "are no positive number"),
        (changed(odd_files={"grey": [3]}), "the odd files are no names"),
        (changed(odd_files=None), "lacks images"),
    ],
)
def test_a_manifest_that_is_damaged_or_lies(manifest: Any, said: str, tmp_path: Path) -> None:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    (tmp_path / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=f"manifest.json .*{said}"):
        read_manifest(tmp_path)


def test_a_manifest_of_other_images(photographs: Path) -> None:
    found = folder(str(photographs))
    manifest = scan(found, quiet)
    check_counts(manifest, found, photographs)
    with pytest.raises(InputError, match="speaks of 39 images in split 'train', and there are 38"):
        check_counts(manifest, replace(found, train=found.train.take(np.arange(38))), photographs)


def test_no_manifest_and_whole_ones(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    write_manifest(tmp_path, good())
    assert read_manifest(tmp_path) == good()
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_manifest(tmp_path)
