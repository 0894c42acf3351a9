"""What data is said to be: by its counts, its digest, its channels, and by what lies there."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.keys import SCHEMA, Key
from cnn_jax.config.problems import InputError
from cnn_jax.data import known_sets, lying_here, official_sets, sources
from cnn_jax.data.array_records import ArrayRecords
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.folder import folder
from cnn_jax.data.known_sets import KNOWN, Known
from cnn_jax.data.streams import RecordSplit, whole_split
from tests import configs

SMALL = Known(12, 6, 2)


def draw(root: Path, form: str = "L", counts: tuple[int, int] = (6, 3)) -> Path:
    """Two classes of PNG files in train and test; the first pixel is the number of the image."""
    for split, count in zip(("train", "test"), counts, strict=True):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.full((28, 28), 40 + number, np.uint8)
                image = Image.fromarray(pixels).convert(form)
                if form == "RGB" and split == "train" and label == "b" and number == 0:
                    image.putpixel((3, 3), (1, 2, 3))
                image.save(root / split / label / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("form", "channels"), [("L", 1), ("1", 1), ("LA", 1), ("RGB", 3), ("P", 1)]
)
def test_the_images_decide_between_grey_and_rgb(form: str, channels: int, tmp_path: Path) -> None:
    made = folder(str(draw(tmp_path, form)))
    assert made.train.channels == made.test.channels == channels
    other = 4 - channels
    assert any(f"--config.data.kwargs.channels={other}" in text for text in made.notices)
    given = folder(str(tmp_path), channels=other)
    assert given.train.channels == other
    assert any("as config.data.kwargs.channels says" in text for text in given.notices)
    with pytest.raises(InputError, match="allowed: 1, 3"):
        folder(str(tmp_path), channels=2)


def test_an_unreadable_image_decides_nothing(tmp_path: Path) -> None:
    draw(tmp_path)
    (tmp_path / "train" / "a" / "0.png").write_bytes(b"no image")
    assert folder(str(tmp_path)).train.channels == 1
    for path in (tmp_path / "train").rglob("*.png"):
        path.write_bytes(b"no image")
    assert folder(str(tmp_path)).train.channels == 3


def test_counts_and_digest_tell_which_set_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path)
    keys: dict[str, Any] = {"data.source": "folder", "data.kwargs": {}, "data.validation_folds": 3}
    data = configs.make(keys | {"data.directory": str(tmp_path)}).data
    monkeypatch.setattr(known_sets, "KNOWN", {"mnist": SMALL, "cifar10": Known(1, 2, 3)})
    made = sources.load(data)
    assert known_sets.like(made) == ["mnist"] and known_sets.is_published("mnist", made) is None
    assert any("--config.data.holds=mnist" in text for text in made.notices)
    digest = known_sets.digest_of(made.test)
    monkeypatch.setitem(known_sets.KNOWN, "mnist", SMALL._replace(test_digest=digest))
    assert known_sets.is_published("mnist", made) is True
    assert known_sets.lacking("cifar10", made) == [
        "train: 12 here, cifar10 has 1",
        "test: 6 here, cifar10 has 2",
        "classes: 2 here, cifar10 has 3",
    ]
    said = configs.make(keys | {"data.directory": str(tmp_path), "data.holds": "mnist"})
    assert sources.dataset_name(said.data) == "mnist"
    assert not any("holds" in text for text in sources.load(said.data).notices)
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "test" / "a" / "0.png")
    assert known_sets.is_published("mnist", sources.load(data)) is False


def test_the_digest_is_that_of_images_and_labels_in_any_order() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    images = generator.integers(0, 256, (9, 4, 4, 1), np.uint8)
    labels = np.arange(9, dtype=np.int32) % 3

    def digest(order: np.ndarray, classes: np.ndarray) -> str:
        return known_sets.digest_of(whole_split(ArrayRecords(images[order], classes, "x")))

    order = generator.permutation(9)
    one = digest(np.arange(9), labels)
    assert digest(order, labels[order]) == one
    assert digest(order, labels) != one and digest(np.arange(9)[::-1], labels) != one


def test_what_holds_may_be_is_what_is_known() -> None:
    key = SCHEMA["data"]["holds"]
    assert isinstance(key, Key) and sorted(KNOWN) == sorted(key.choices)
    assert set(sources.OFFICIAL.values()) - {"emnist"} <= set(KNOWN)
    for idx in (official_sets.MNIST, official_sets.FASHION_MNIST, official_sets.KMNIST):
        assert KNOWN[idx.name][:3] == (idx.files[0].examples, idx.files[2].examples, 10)


def test_a_source_that_says_what_it_holds_is_not_told() -> None:
    with pytest.raises(InputError, match="holds = 'mnist' is for the sources folder and store"):
        configs.make({"data.holds": "mnist"})


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


LYING = {
    "store": ("store.json", "train/images.bin"),
    "folder": ("train/cats/0.png", "test/cats/0.png"),
    "tfds": ("mnist/3.0.1/dataset_info.json",),
    "mnist": ("train-images.idx3-ubyte",),
    "kmnist": ("KMNIST/raw/train-images-idx3-ubyte.gz",),
    "emnist": ("gzip/emnist-letters-train-images-idx3-ubyte.gz",),
    "cifar10": ("cifar-10-binary.tar.gz",),
    "cifar100": ("cifar-100-python/train",),
    "svhn": ("train_32x32.mat",),
}


@pytest.mark.parametrize("source", sorted(LYING))
def test_the_wrong_source_is_answered_with_the_right_one(source: str, tmp_path: Path) -> None:
    root = touch(tmp_path, *LYING[source])
    found = lying_here.source_of(root)
    assert found is not None and found[0] == source
    asked = "folder" if source != "folder" else "tfds"
    kwargs = {"name": "cifar10"} if asked == "tfds" else {}
    keys = {"data.source": asked, "data.kwargs": kwargs, "data.directory": str(root)}
    with pytest.raises(InputError, match=f"--config.data.source={source}"):
        sources.load(configs.make(keys).data)
    assert lying_here.told(str(root), source) == ""


def test_a_directory_of_nothing_is_no_source(tmp_path: Path) -> None:
    assert lying_here.source_of(tmp_path) is None
    assert lying_here.source_of(touch(tmp_path, "classes/0.png")) is None
    assert lying_here.told(str(tmp_path / "none"), "folder") == ""
    assert lying_here.told(None, "folder") == ""


def test_images_from_arrays_are_those_of_the_arrays() -> None:
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    split = whole_split(ArrayRecords(images.swapaxes(1, 2), np.array([0, 1], np.int32), "x"))
    made = Dataset(split, split.take(np.arange(0)), split, ("a", "b"))
    assert isinstance(made.train, RecordSplit)
    np.testing.assert_array_equal(made.train.record(1).image, images[1].swapaxes(0, 1))
    assert dataclasses.replace(made).test.name(1) == "x 1"
