"""Stores: every image resized once."""

from pathlib import Path

import numpy as np
import pytest

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
