"""Stores are held to what they say when they are opened."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.benchmark.photographs import jpeg, photograph
from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.manifest import read_manifest, scan
from cnn_jax.data.prepare.store_building import build_store
from cnn_jax.data.records import Record
from cnn_jax.data.store import digest_of, store
from cnn_jax.data.streams import whole_split
from tests.data.files import quiet


class Named:
    """Images with names; the one with an empty name cannot be read."""

    channels = 3

    def __init__(self, names: list[str], side: int = 9):
        self.names, self._side = names, side
        self.labels = np.arange(len(names), dtype=np.int32) % 2

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        name = self.names[index]
        content = jpeg(photograph(index, self._side, self._side + 3)) if name else b""
        return Record(content, int(self.labels[index]), name)


def built(root: Path, names: list[str], word: str) -> Dataset:
    split = whole_split(Named(names))
    source = Dataset(split, split.take(np.arange(1)), split.take(np.arange(1, 2)), ("a", "b"))
    build_store(source, scan(source, quiet), root, word, quiet)
    return source


# What Linux allows in a path, bytes that are no UTF-8 among it, as Python writes them.
path_names = st.binary(max_size=12).map(
    lambda content: content.replace(b"\0", b"").decode(errors="surrogateescape")
)


@settings(max_examples=25, deadline=None)
@given(st.lists(path_names, min_size=2, max_size=5), st.sampled_from(["uint8_6", "jpeg_6"]))
def test_any_names_come_back(names: list[str], word: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source = built(Path(directory, "store"), names, word)
        found = store(str(Path(directory, "store")))
        manifest = read_manifest(Path(directory, "store"))
    assert manifest is not None
    assert manifest["store"]["unreadable"]["train"] == [name for name in names if not name]
    for name, split in found.splits.items():
        records = [split.record(i) for i in range(len(split))]
        originals = [source.splits[name].record(i) for i in range(len(split))]
        assert [record[1:] for record in records] == [record[1:] for record in originals]


@pytest.fixture(scope="module", params=["uint8_6", "jpeg_6"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores") / request.param
    built(root, ["0.jpg", "", "2.jpg", "3.jpg"], request.param)
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


def index(root: Path, resealed: bool = True, **change: Callable[[np.ndarray], np.ndarray]) -> None:
    file = root / "train" / "index.npz"
    with np.load(file) as arrays:
        changed = {k: change.get(k, lambda same: same)(v) for k, v in arrays.items()}
    np.savez(file, **{k: v for k, v in changed.items() if v is not None})
    if resealed:
        told = json.loads((root / "store.json").read_text())
        told["digests"]["train"] = digest_of(root / "train")
        (root / "store.json").write_text(json.dumps(told))


def describe(root: Path, **change: Any) -> None:
    told = json.loads((root / "store.json").read_text()) | change
    (root / "store.json").write_text(json.dumps({k: v for k, v in told.items() if v is not None}))


def put(at: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[at] = value
        return array

    return change


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "half_description": (lambda r: cut(r / "store.json"), "store.json cannot be used"),
    "no_description": (lambda r: (r / "store.json").write_text("[]"), "store.json cannot be used"),
    "pipe_named_images": (lambda r: pipe(r / "train" / "images.bin"), "images.bin is no file"),
    "format": (lambda r: describe(r, format="png"), "store.json is damaged: format is 'png'"),
    "channels": (lambda r: describe(r, channels=2), "channels is 2"),
    "no_classes": (lambda r: describe(r, class_names=[]), "class_names is"),
    "numbered_classes": (lambda r: describe(r, class_names=[1]), "class_names is"),
    "side": (lambda r: describe(r, shorter_side="6"), "shorter_side is '6'"),
    "origin": (lambda r: describe(r, made_from=None), "made_from is None"),
    "no_digests": (lambda r: describe(r, digests={}), "digests is {}"),
    "no_version": (lambda r: describe(r, format_version=None), "digests is"),
    "half_index": (lambda r: cut(r / "train" / "index.npz"), "index.npz cannot be read"),
    "no_index": (lambda r: (r / "train" / "index.npz").unlink(), "index.npz cannot be read"),
    "no_array": (lambda r: index(r, label=lambda a: None), "index.npz cannot be read"),
    "half_names": (lambda r: cut(r / "train" / "names.json"), "names.json is damaged"),
    "fewer_names": (
        lambda r: (r / "train" / "names.json").write_text('["0.jpg"]'),
        "names.json has 1 names, and its index speaks of 4",
    ),
    "no_names": (lambda r: (r / "train" / "names.json").unlink(), "names.json cannot be read"),
    "other_names": (
        lambda r: (r / "train" / "names.json").write_text('["0", "1", "2", "3"]'),
        "was changed: store.json has another digest",
    ),
    "other_labels": (lambda r: index(r, False, label=lambda a: 1 - a), "another digest"),
    "classes": (lambda r: index(r, label=put(2, 2)), "image 2 has a label that is none of the 2"),
    "negative": (lambda r: index(r, label=put(3, -1)), "image 3 has a label"),
    "real_labels": (lambda r: index(r, label=lambda a: a / 2), "more than whole numbers"),
    "lengths": (lambda r: index(r, label=lambda a: a[1:]), "not of one length"),
    "rank": (lambda r: index(r, shape=lambda a: a[:, :2]), "not of one length"),
    "order": (lambda r: index(r, offset=put(2, 10**9)), "image 2 lies before"),
    "begin": (lambda r: index(r, offset=put(0, 1)), "does not begin|has other bytes"),
    "end": (lambda r: index(r, offset=put(4, 10**9)), "cut short|other bytes"),
    "sides": (lambda r: index(r, shape=put(0, 1 << 21)), "image 0 has a side"),
    "other_channels": (lambda r: index(r, shape=lambda a: a[:, ::-1]), "other channels"),
    "half_images": (lambda r: cut(r / "train" / "images.bin"), "cut short; prepare the store anew"),
    "more_images": (lambda r: more(r / "train" / "images.bin"), "it is of another store"),
    "no_images": (lambda r: (r / "train" / "images.bin").unlink(), "images.bin cannot be read"),
    "no_train": (lambda r: shutil.rmtree(r / "train"), "index.npz cannot be read"),
    "no_validation": (lambda r: shutil.rmtree(r / "validation"), "index.npz cannot be read"),
    "swapped_splits": (lambda r: swap(r), "has another digest"),
    "half_manifest": (lambda r: cut(r / "manifest.json"), "manifest.json is damaged"),
    "other_manifest": (
        lambda r: manifest(r, fingerprint="abc"),
        "store.json and manifest.json beside it are of different images",
    ),
    "lying_manifest": (
        lambda r: manifest(r, splits={}),
        "speaks of 0 images in split 'train', and there are 4",
    ),
}


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def more(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def pipe(file: Path) -> None:
    import os

    file.unlink()
    os.mkfifo(file)


def swap(root: Path) -> None:
    (root / "train").rename(root / "other")
    (root / "test").rename(root / "train")
    (root / "other").rename(root / "test")


def manifest(root: Path, **change: Any) -> None:
    told = json.loads((root / "manifest.json").read_text()) | change
    (root / "manifest.json").write_text(json.dumps(told))


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_store_that_is_damaged_or_lies(kind: str, root: Path) -> None:
    damage, said = DAMAGES[kind]
    store(str(root))
    damage(root)
    with pytest.raises(InputError, match=said) as caught:
        store(str(root))
    (problem,) = caught.value.problems
    assert str(root) in problem and "\n" not in problem
    assert "remove" in problem and "experiments.prepare" in problem


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_store_of_which_anything_was_cut_or_changed(whole: Path, data: st.DataObject) -> None:
    """But for the images themselves and words in `store.json`, a change anywhere is found."""
    names = ["train/index.npz", "train/names.json", "store.json", "manifest.json"]
    name = data.draw(st.sampled_from(names))
    content = (whole / name).read_bytes()
    at = data.draw(st.integers(0, len(content) - 2))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(shutil.copytree(whole, Path(directory, "store")))
        if data.draw(st.booleans()):
            (root / name).write_bytes(content[:at])
            with pytest.raises(InputError, match="store anew"):
                store(str(root))
            return
        changed = content[:at] + data.draw(st.binary(min_size=1, max_size=9)) + content[at + 1 :]
        (root / name).write_bytes(changed)
        try:
            found = store(str(root))
        except InputError:
            return
        assert name.endswith(("store.json", "manifest.json")) or changed == content
        assert list(found.train.labels) == [0, 1, 0, 1]


def test_a_newer_store_is_not_called_damaged(root: Path) -> None:
    describe(root, format_version=3)
    with pytest.raises(InputError, match="by a newer version of cnn_jax: its format_version is 3"):
        store(str(root))


def test_a_store_of_the_first_format_is_read(root: Path) -> None:
    """Names were a line each; digests there were none."""
    describe(root, format_version=None, digests=None)
    for part in ("train", "validation", "test"):
        names = json.loads((root / part / "names.json").read_text())
        (root / part / "names.json").unlink()
        (root / part / "names.txt").write_text("".join(f"{name}\n" for name in names))
    found = store(str(root))
    assert [found.train.name(i) for i in range(4)] == ["0.jpg", "", "2.jpg", "3.jpg"]
    (root / "train" / "names.txt").write_text("0\n1\nnew\nline\n3\n")
    with pytest.raises(InputError, match="names.txt has 5 names, and its index speaks of 4"):
        store(str(root))


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no store; make one by"):
        store(str(tmp_path))
    with pytest.raises(InputError, match="is no store"):
        store(str(tmp_path / "nowhere"))


def test_images_that_vanish_after_opening_are_unreadable(root: Path) -> None:
    found = store(str(root))
    (root / "train" / "images.bin").write_bytes(b"x")
    record = found.train.record(3)
    assert record.fault.startswith("the store was cut short at byte") and record.image == b""
