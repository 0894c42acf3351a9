"""Folders read in place, looked at, and turned into stores."""

from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.folder import folder
from cnn_jax.data.streams import RecordSplit
from tests.data import files


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return files.folder_with_odd_files(tmp_path / "photographs")


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
        (lambda root: (root / "train").rename(root / "elsewhere"), "hold folders only"),
    ],
)
def test_folders_that_cannot_be_used(photographs: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    change(photographs)
    with pytest.raises(InputError, match=message):
        folder(str(photographs))
