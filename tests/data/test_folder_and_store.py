"""Folders read in place, looked at, and turned into stores."""

from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.decode import UnreadableError
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import MANIFEST, read_manifest, scan
from cnn_jax.data.preparation import Wanted, prepare
from cnn_jax.data.resize import resize
from cnn_jax.data.store import DESCRIPTION, store
from cnn_jax.data.store_building import build_store
from cnn_jax.data.streams import RecordSplit, pixels_of
from tests.data import files


def quiet(what: str, done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    root = files.folder(tmp_path / "photographs")
    odd = files.odd_files() | files.unreadable_files()
    for name, content in odd.items():
        (root / "train" / "kind_1" / f"{name}.JPEG").write_bytes(content)
    return root


def test_splits_classes_and_names(photographs: Path) -> None:
    found = folder(str(photographs))
    assert (len(found.train), len(found.validation), len(found.test)) == (39, 0, 15)
    assert found.class_names == ("kind_0", "kind_1", "kind_2")
    assert isinstance(found.train, RecordSplit)
    assert found.train.record(0).name == "train/kind_0/0.jpg" and found.train.record(12).label == 1


def test_val_and_test(photographs: Path) -> None:
    (photographs / "val").rename(photographs / "test")
    (photographs / "val" / "kind_0").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no images"):
        folder(str(photographs))
    (photographs / "test" / "kind_0" / "500.jpg").rename(photographs / "val" / "kind_0" / "a.jpg")
    found = folder(str(photographs))
    assert (len(found.train), len(found.validation), len(found.test)) == (39, 1, 14)


def test_a_fraction_by_name_alone(photographs: Path) -> None:
    found = folder(str(photographs / "train"), test_fraction=0.25)
    assert isinstance(found.test, RecordSplit) and isinstance(found.train, RecordSplit)
    parts = [{split.name(i) for i in range(len(split))} for split in (found.train, found.test)]
    assert not parts[0] & parts[1] and len(parts[0] | parts[1]) == 39
    assert np.bincount([found.test.record(i).label for i in range(11)]).tolist() == [3, 5, 3]
    (photographs / "train" / "kind_2" / "zzz.jpg").write_bytes(b"new")
    again = folder(str(photographs / "train"), test_fraction=0.25).test
    assert len(parts[1] - {again.name(i) for i in range(len(again))}) <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "val" / "kind_0").rename(root / "val" / "kind_7"), "no such class"),
        (lambda root: (root / "val").rename(root / "rest"), "neither val/ nor test/"),
        (lambda root: (root / "train").rename(root / "elsewhere"), "holds no images|no such|sub"),
    ],
)
def test_folders_that_cannot_be_used(photographs: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    change(photographs)
    if "holds" in message:
        assert folder(str(photographs)).class_names == ("elsewhere", "val")
        return
    with pytest.raises(InputError, match=message):
        folder(str(photographs))


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


@pytest.mark.parametrize("word", ["uint8_32", "jpeg_32"])
def test_a_store_holds_the_resized_images(word: str, photographs: Path, tmp_path: Path) -> None:
    wanted = Wanted("folder", tmp_path / "data", folder=photographs, store=word)
    lines = prepare(wanted, quiet)
    directory = tmp_path / "data" / f"photographs_{word}"
    assert f"--config.data.directory={directory}" in lines[-1]
    source, found = folder(str(photographs)), store(str(directory))
    assert found.class_names == source.class_names
    assert (len(found.train), len(found.test)) == (39, 15), "every example keeps its place"
    manifest = read_manifest(directory)
    assert manifest is not None
    lost = [f"train/kind_1/{name}.JPEG" for name in ("empty", "text", "truncated")]
    assert manifest["store"]["unreadable"] == {"train": lost, "test": []}
    assert isinstance(found.train, RecordSplit)
    for i in range(39):
        record = found.train.record(i)
        assert record[1:] == source.train.record(i)[1:]  # type: ignore[union-attr]
        if record.name in lost:
            with pytest.raises(UnreadableError, match="empty"):
                pixels_of(record, 3)
    assert isinstance(source.test, RecordSplit) and isinstance(found.test, RecordSplit)
    for i in range(15):
        original, stored = source.test.record(i), found.test.record(i)
        assert (original.label, original.name) == (stored.label, stored.name)
        pixels = pixels_of(stored, 3)
        assert min(pixels.shape[:2]) == 32
        exact = resize(pixels_of(original, 3), pixels.shape[:2])
        assert np.abs(exact.astype(int) - pixels).mean() <= (0 if word.startswith("uint8") else 6)


def test_a_killed_store_does_not_look_finished(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "data" / "photographs_uint8_32"
    wanted = Wanted("folder", tmp_path / "data", folder=photographs, store="uint8_32")

    def killed(what: str, done: int, total: int) -> None:
        if what.startswith("resizing test"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(wanted, killed)
    assert not final.exists()
    prepare(wanted, quiet)
    assert (final / DESCRIPTION).is_file() and (final / MANIFEST).is_file()
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["photographs", final.name]


def test_a_damaged_store_is_named(photographs: Path, tmp_path: Path) -> None:
    source = folder(str(photographs))
    final = tmp_path / "store"
    build_store(source, scan(source, quiet), final, "uint8_16", quiet)
    images = final / "train" / "images.bin"
    images.write_bytes(images.read_bytes()[:-7])
    with pytest.raises(InputError, match="cut short; prepare the store anew"):
        store(str(final))
    with pytest.raises(InputError, match="is no store"):
        store(str(tmp_path))


@pytest.mark.parametrize("word", ["uint8", "png_256", "uint8_0", "uint8_x"])
def test_store_formats(word: str, photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allowed: uint8_SIDE, jpeg_SIDE"):
        prepare(Wanted("folder", tmp_path, folder=photographs, store=word), quiet)
