"""Stores: every image resized once."""

from pathlib import Path

import numpy as np
import pytest

from cnn_jax.benchmark.photographs import jpeg
from cnn_jax.config.problems import InputError
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import MANIFEST, read_manifest, scan
from cnn_jax.data.prepare.preparation import Wanted, prepare
from cnn_jax.data.prepare.store_building import build_store
from cnn_jax.data.resize import resize
from cnn_jax.data.store import DESCRIPTION, store
from cnn_jax.data.streams import RecordSplit, pixels_of
from cnn_jax.data.unreadable import UnreadableError
from tests.data import files
from tests.data.files import quiet


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return files.folder_with_odd_files(tmp_path / "photographs")


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


@pytest.mark.parametrize(
    "word",
    (
        *("", "uint8", "png_256", "uint8_0", "uint8_x", "uint8_-1", "uint8_4097"),
        *("jpeg_1000000000", "uint8_256_256", "uint8_²", "uint8_\u0661", "uint8_" + "9" * 5000),
    ),
)
def test_store_formats(word: str, photographs: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with pytest.raises(InputError, match="allowed: uint8_SIDE, jpeg_SIDE .* 1 to 4,096 pixels"):
        prepare(Wanted("folder", data, folder=photographs, store=word), quiet)
    assert not data.exists()


def test_an_image_that_would_become_too_large_is_unreadable_there(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "lines" / part / "a").mkdir(parents=True)
        (tmp_path / "lines" / part / "b").mkdir()
        (tmp_path / "lines" / part / "b" / "0.jpg").write_bytes(jpeg(np.zeros((9, 9), np.uint8)))
        for name, shape in (("line", (1, 6000, 3)), ("square", (30, 30, 3))):
            content = jpeg(np.zeros(shape, np.uint8))
            (tmp_path / "lines" / part / "a" / f"{name}.jpg").write_bytes(content)
    prepare(Wanted("folder", tmp_path, folder=tmp_path / "lines", store="uint8_200"), quiet)
    manifest = read_manifest(tmp_path / "lines_uint8_200")
    assert manifest is not None
    assert manifest["store"]["unreadable"]["train"] == ["train/a/line.jpg"]


def test_a_store_of_other_images_is_not_taken_for_theirs(photographs: Path, tmp_path: Path) -> None:
    wanted = Wanted("folder", tmp_path / "data", folder=photographs, store="uint8_16")
    prepare(wanted, quiet)
    prepare(wanted, quiet)
    (photographs / "val" / "kind_0" / "500.jpg").write_bytes(files.odd_files()["tiny"])
    with pytest.raises(InputError, match="photographs_uint8_16 was made from other images.*remove"):
        prepare(wanted, quiet)


def test_images_without_a_class_make_no_store(photographs: Path, tmp_path: Path) -> None:
    source = folder(str(photographs))
    manifest = scan(source, quiet)
    manifest["splits"]["test"]["images_of_class"]["-1"] = 4
    with pytest.raises(InputError, match="'test' has images of label -1, .* none of the 3 classes"):
        build_store(source, manifest, tmp_path / "store", "uint8_16", quiet)
    assert not list(tmp_path.glob("*store*"))
