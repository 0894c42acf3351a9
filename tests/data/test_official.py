"""The official files of data sets, in small: every form in which people have them, every fault."""

import dataclasses
import gzip
import hashlib
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from cnn_jax.config.problems import InputError
from cnn_jax.data import official, official_sets, sources
from cnn_jax.data.official_files import spellings
from cnn_jax.data.official_sets import IdxSet, OfficialFile
from tests import configs

COUNTS = (12, 6)
RNG = np.random.Generator(np.random.PCG64(7))
IMAGES = [RNG.integers(0, 256, (count, 28, 28), np.uint8) for count in COUNTS]
LABELS = [np.arange(count, dtype=np.uint8) % 3 for count in COUNTS]


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


CONTENT = [idx(array) for pair in zip(IMAGES, LABELS, strict=True) for array in pair]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def small_idx(whole: IdxSet, digests: bool = True) -> IdxSet:
    """The set in small, with the digests of CONTENT or with none."""
    files = tuple(
        OfficialFile(
            official.name,
            len(content),
            md5(content) if digests else "",
            len(gzip.compress(content, mtime=0)),
            examples=COUNTS[number // 2],
        )
        for number, (official, content) in enumerate(zip(whole.files, CONTENT, strict=True))
    )
    return dataclasses.replace(whole, files=files)


@contextmanager
def small(name: str, digests: bool = True) -> Iterator[IdxSet]:
    """A set in small in place of the real one; for tests by hypothesis, which share no fixture."""
    with pytest.MonkeyPatch.context() as patch:
        made = small_idx(getattr(official_sets, name), digests)
        patch.setattr(official_sets, name, made)
        yield made


def write_idx(root: Path, idx_set: IdxSet, form: int = 0) -> None:
    """The four files, in one of the spellings."""
    root.mkdir(parents=True, exist_ok=True)
    for official_file, content in zip(idx_set.files, CONTENT, strict=True):
        name = spellings(official_file.name)[form]
        packed = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
        (root / name).write_bytes(packed)


def same(dataset: Any, images: list[np.ndarray], labels: list[np.ndarray]) -> None:
    for split, pixels, classes in zip((dataset.train, dataset.test), images, labels, strict=True):
        assert len(split) == len(pixels)
        np.testing.assert_array_equal(split.labels, classes)
        for example in range(len(split)):
            np.testing.assert_array_equal(split.record(example).image, pixels[example])


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("folder", ["", "raw", "MNIST/raw"])
def test_idx_files_under_all_their_names(form: int, folder: str, tmp_path: Path) -> None:
    with small("MNIST") as idx_set:
        write_idx(tmp_path / folder, idx_set, form)
        made = official.mnist(str(tmp_path))
        same(made, [images[..., None] for images in IMAGES], LABELS)
        assert made.class_names == tuple("0123456789")
        assert "known by their MD5" in made.notices[0]
        write_idx(tmp_path / "other", idx_set, 3 - form)
        assert official.mnist(str(tmp_path / "other")).fingerprint == made.fingerprint


def test_a_packed_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    with small("KMNIST") as idx_set:
        for official_file, content in zip(idx_set.files, CONTENT, strict=True):
            (tmp_path / official_file.name).write_bytes(gzip.compress(content))
        assert len(official.kmnist(str(tmp_path)).train) == COUNTS[0]


def test_plain_files_are_mapped_and_not_copied(tmp_path: Path) -> None:
    with small("FASHION_MNIST") as idx_set:
        write_idx(tmp_path, idx_set)
        records = official.fashion_mnist(str(tmp_path)).train.records
        base = records._images
        while not isinstance(base, np.memmap):
            base = base.base
        assert Path(base.filename).name == "train-images-idx3-ubyte"


@pytest.mark.parametrize("split", sorted(official_sets.EMNIST))
def test_emnist_is_turned_upright_and_counts_from_its_first_label(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = official_sets.EMNIST[split]
    monkeypatch.setitem(official_sets.EMNIST, split, small_idx(whole, digests=False))
    if whole.first_label:
        with pytest.raises(InputError, match="has labels from 0 to 2: EMNIST letters has 26"):
            write_idx(tmp_path, whole)
            official.emnist(str(tmp_path), split=split)  # type: ignore[arg-type]
        for number in (1, 3):
            content = idx(LABELS[number // 2] + 1)
            (tmp_path / whole.files[number].name).write_bytes(content)
    else:
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
            for official_file, content in zip(whole.files, CONTENT, strict=True):
                archive.writestr(f"gzip/{official_file.name}.gz", gzip.compress(content))
    made = official.emnist(str(tmp_path), split=split)  # type: ignore[arg-type]
    same(made, [images.swapaxes(1, 2)[..., None] for images in IMAGES], LABELS)
    sizes = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}
    assert made.num_classes == sizes[split]
    assert "sizes and counts alone" in made.notices[0]


def test_a_missing_file_is_named_with_what_was_looked_for_and_where_it_is(tmp_path: Path) -> None:
    with small("MNIST") as idx_set:
        write_idx(tmp_path, idx_set)
        (tmp_path / "train-labels-idx1-ubyte").rename(tmp_path / "labels.bin")
        with pytest.raises(InputError) as caught:
            official.mnist(str(tmp_path))
    text = str(caught.value)
    for name in spellings("train-labels-idx1-ubyte"):
        assert name in text
    assert "labels.bin there is like train-labels-idx1-ubyte" in text
    assert "t10k" not in text and "http://yann.lecun.com/exdb/mnist/" in text


def test_no_folder_and_a_file_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory is unset: the folder with .* MNIST"):
        official.mnist(None)
    with pytest.raises(InputError, match="no such folder"):
        official.mnist(str(tmp_path / "none"))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match=f"--config.data.directory={tmp_path}$"):
        official.cifar10(str(tmp_path / "cifar-10-python.tar.gz"))


@settings(max_examples=40, deadline=None)
@given(
    number=st.integers(0, 3),
    part=st.floats(0, 1, exclude_max=True),
    packed=st.booleans(),
    digests=st.booleans(),
    checked=st.booleans(),
)
def test_a_file_cut_short_anywhere_is_named(
    number: int, part: float, packed: bool, digests: bool, checked: bool, tmp_path_factory: Any
) -> None:
    root = tmp_path_factory.mktemp("cut")
    with small("MNIST", digests) as idx_set:
        write_idx(root, idx_set, int(packed))
        path = root / spellings(idx_set.files[number].name)[int(packed)]
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content))])
        with pytest.raises(InputError) as caught:
            official.mnist(str(root), checked=checked)
    text = str(caught.value)
    assert path.name in text and "fetch it again" in text
    assert any(word in text for word in ("incomplete", "empty", "cut short", "no IDX file"))


@settings(max_examples=40, deadline=None)
@given(
    pair=st.permutations(range(4)).map(lambda order: order[:2]),
    packed=st.booleans(),
    digests=st.booleans(),
)
def test_two_files_with_each_others_names_are_named(
    pair: list[int], packed: bool, digests: bool, tmp_path_factory: Any
) -> None:
    root = tmp_path_factory.mktemp("exchanged")
    with small("MNIST", digests) as idx_set:
        write_idx(root, idx_set, int(packed))
        one, other = (root / spellings(idx_set.files[n].name)[int(packed)] for n in pair)
        os.rename(one, root / "aside")
        os.rename(other, one)
        os.rename(root / "aside", other)
        with pytest.raises(InputError) as caught:
            official.mnist(str(root))
        first = idx_set.files[min(pair)].name
        assert first in str(caught.value)
        assert "each other's names" in str(caught.value) or "is published" in str(caught.value)


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 3), at=st.floats(0, 1, exclude_max=True), form=st.integers(0, 3))
def test_a_changed_byte_is_refused_unless_it_is_asked_for(
    number: int, at: float, form: int, tmp_path_factory: Any
) -> None:
    root = tmp_path_factory.mktemp("changed")
    with small("MNIST") as idx_set:
        write_idx(root, idx_set, form)
        name = idx_set.files[number].name
        header = 16 if "images" in name else 8
        content = bytearray(CONTENT[number])
        place = header + int(at * (len(content) - header))
        content[place] = (content[place] + 1) % 10
        path = root / spellings(name)[form]
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        with pytest.raises(InputError, match=f"differs from the official {name}"):
            official.mnist(str(root))
        taken = official.mnist(str(root), checked=False)
        assert "known by their MD5" not in taken.notices[0]
        write_idx(root / "right", idx_set)
        assert official.mnist(str(root / "right")).fingerprint != taken.fingerprint


def test_the_files_of_another_set_are_called_by_their_name(tmp_path: Path) -> None:
    with small("FASHION_MNIST") as fashion:
        write_idx(tmp_path, fashion)
        with pytest.raises(InputError, match="is train-images-idx3-ubyte of Fashion-MNIST"):
            official.mnist(str(tmp_path))


def test_what_is_no_file_of_a_set(tmp_path: Path) -> None:
    with small("KMNIST", digests=False) as idx_set:
        for content, told in (
            (b"<!DOCTYPE html>", "is a web page"),
            (b"version https://git-lfs", "is no IDX file of uint8"),
            (idx(IMAGES[0])[:3] + b"\x02" + bytes(30), "is no IDX file of uint8"),
        ):
            write_idx(tmp_path, idx_set)
            (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
            with pytest.raises(InputError, match=told):
                official.kmnist(str(tmp_path), checked=False)


# CIFAR


@pytest.fixture
def svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    held = {}
    for name, key, count in (("TRAIN", "train", 12), ("TEST", "test", 5), ("EXTRA", "extra", 7)):
        images = RNG.integers(0, 256, (32, 32, 3, count), np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)
        path = tmp_path / f"{key}_32x32.mat"
        savemat(path, {"X": images, "y": labels[:, None]}, do_compression=True)
        content = path.read_bytes()
        monkeypatch.setattr(
            official_sets,
            f"SVHN_{name}",
            OfficialFile(path.name, len(content), md5(content), examples=count),
        )
        held[key] = (images.transpose(3, 0, 1, 2), labels % 10)
    return held


def test_svhn_with_and_without_extra(svhn: Any, tmp_path: Path) -> None:
    plain, more = official.svhn(str(tmp_path)), official.svhn(str(tmp_path), extra=True)
    same(plain, [svhn["train"][0], svhn["test"][0]], [svhn["train"][1], svhn["test"][1]])
    both = [np.concatenate([svhn["train"][k], svhn["extra"][k]]) for k in (0, 1)]
    same(more, [both[0], svhn["test"][0]], [both[1], svhn["test"][1]])
    assert plain.fingerprint != more.fingerprint
    (tmp_path / "extra_32x32.mat").unlink()
    with pytest.raises(InputError, match="SVHN extra_32x32.mat is not there"):
        official.svhn(str(tmp_path), extra=True)


def test_svhn_cut_short_exchanged_or_another_file(svhn: Any, tmp_path: Path) -> None:
    train, test = tmp_path / "train_32x32.mat", tmp_path / "test_32x32.mat"
    content = train.read_bytes()
    train.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"train_32x32.mat has .* \(50 %\): the download is inco"):
        official.svhn(str(tmp_path))
    train.write_bytes(test.read_bytes())
    with pytest.raises(InputError, match="train_32x32.mat is test_32x32.mat of SVHN"):
        official.svhn(str(tmp_path))
    train.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="is no MATLAB file"):
        official.svhn(str(tmp_path), checked=False)


# All of them


def test_a_source_of_official_files_goes_through_crops_and_memory(tmp_path: Path) -> None:
    with small("MNIST") as idx_set:
        write_idx(tmp_path, idx_set, 1)
        crop = {"name": "shorter_side", "kwargs": {"size": 32, "shorter_side": 32}}
        keys: dict[str, Any] = {"data.source": "mnist", "data.kwargs": {}}
        keys |= {"data.directory": str(tmp_path), "data.validation_folds": 6}
        keys |= {f"{split}_crop.{key}": crop[key] for split in ("train", "test") for key in crop}
        made = sources.dataset_for(configs.make(keys))
    assert made.image_shape == (32, 32, 1) and made.train.resident
    assert [len(split) for split in made.splits.values()] == [10, 2, 6]


def test_the_official_counts() -> None:
    for idx_set in (official_sets.MNIST, official_sets.FASHION_MNIST, official_sets.KMNIST):
        assert [one.size for one in idx_set.files] == [47_040_016, 60_008, 7_840_016, 10_008]
        assert len(set(idx_set.classes)) == 10
    for cifar_set, classes in ((official_sets.CIFAR10, 10), (official_sets.CIFAR100, 100)):
        for version in cifar_set.versions:
            assert sum(one.examples for one in version.train) == 50_000
            assert version.test.examples == 10_000
        assert max(len(names) for names in cifar_set.labels.values()) == classes


@pytest.mark.skipif(
    "CNN_JAX_MNIST" not in os.environ,
    reason="CNN_JAX_MNIST names no folder with the official files of MNIST",
)
def test_mnist_itself() -> None:
    made = official.mnist(os.environ["CNN_JAX_MNIST"])
    assert (len(made.train), len(made.test)) == (60_000, 10_000)
    assert made.train.labels is not None and made.test.labels is not None
    assert made.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(made.test.labels).tolist() == counts
