"""Batches are a function of (seed, step) alone: whoever makes them, and wherever it begins."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.crops import ShorterSide, draws
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.decode import decode
from cnn_jax.data.order import Order
from cnn_jax.data.records import Batch, Record, Request
from cnn_jax.data.resize import apply_crop
from cnn_jax.data.streams import Reading, RecordSplit, stream, whole_split
from tests import configs
from tests.data import files

RANDOM = {"train_crop.name": "random_resized", "train_crop.kwargs": {"size": 24}}
CENTRE = {"train_crop.name": "shorter_side", "train_crop.kwargs": {"size": 24, "shorter_side": 28}}
TEST = {"test_crop.name": "shorter_side", "test_crop.kwargs": {"size": 24, "shorter_side": 28}}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.folder(tmp_path_factory.mktemp("photographs"))


def dataset(directory: Path, **overrides: Any) -> Dataset:
    keys = {"data.source": "folder", "data.directory": str(directory), "data.kwargs": {}}
    streamed = {"data.resident_megabytes": 0.0, "data.validation_folds": 5}
    crops = RANDOM | TEST
    return sources.dataset_for(configs.make(keys | streamed | crops | overrides))


def global_batches(data: Dataset, first: int, last: int, hosts: int = 1) -> list[Batch]:
    """Batches of 8 of these steps, put together from the parts of all hosts."""
    order, size = Order(7, len(data.train), 8), 8 // hosts
    parts = []
    for host in range(hosts):
        mine = slice(host * size, (host + 1) * size)
        requests = (
            Request(order.batch(t)[mine], t, np.arange(8)[mine]) for t in range(first, last)
        )
        parts.append(list(data.train.batches(requests, train=True)))
    joined = [
        [np.concatenate(p) for p in zip(*step, strict=True)] for step in zip(*parts, strict=True)
    ]
    return [Batch(*arrays) for arrays in joined]


def assert_same(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for first, second in zip(a, b, strict=True):
            np.testing.assert_array_equal(first, second)


@pytest.fixture(scope="module")
def steps(photographs: Path) -> list[Batch]:
    """Steps 0..50 on one host, without threads."""
    return global_batches(dataset(photographs, **{"data.workers": 0}), 0, 51)


@pytest.mark.parametrize(("hosts", "workers"), [(1, 2), (2, 0), (2, 3), (4, 2)])
def test_hosts_and_workers(photographs: Path, steps: list[Batch], hosts: int, workers: int) -> None:
    data = dataset(photographs, **{"data.workers": workers})
    assert_same(global_batches(data, 0, 51, hosts), steps)


@pytest.mark.parametrize("first", [1, 17, 50])
def test_a_resume_begins_anywhere(photographs: Path, steps: list[Batch], first: int) -> None:
    data = dataset(photographs, **{"data.workers": 2})
    assert_same(global_batches(data, first, 51, 2), steps[first:])


def test_each_epoch_and_position_has_a_crop_of_its_own(steps: list[Batch]) -> None:
    images = np.concatenate([batch.images for batch in steps])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


def test_streamed_and_resident_batches_are_the_same(photographs: Path) -> None:
    streamed = dataset(photographs, **CENTRE)
    resident = dataset(photographs, **CENTRE, **{"data.resident_megabytes": 1.0})
    assert not streamed.train.resident and resident.train.resident
    assert_same(global_batches(streamed, 0, 51), global_batches(resident, 0, 51))
    assert resident.test.resident and resident.validation.resident
    random = dataset(photographs, **{"data.resident_megabytes": 1.0})
    assert not random.train.resident, "a random crop is drawn anew in every step"


def test_pixels_are_those_of_the_rule(photographs: Path) -> None:
    data = dataset(photographs, **CENTRE)
    batch = next(data.train.batches([Request(np.array([4, 2]))]))
    for row, example in enumerate((4, 2)):
        record = data.train.record(example)
        pixels = decode(record.image)  # type: ignore[arg-type]
        crop = ShorterSide(24, 28)(draws(0, 0, 0), *pixels.shape[:2])
        np.testing.assert_array_equal(batch.images[row], apply_crop(pixels, crop))
        assert batch.labels[row] == record.label == int(record.name.split("_")[1][0])


def test_sizes_must_agree(photographs: Path) -> None:
    with pytest.raises(InputError, match="others .* --config.train_crop.name=shorter_side"):
        list(
            dataset(
                photographs,
                **{
                    "train_crop.name": "whole",
                    "train_crop.kwargs": {},
                    "test_crop.name": "whole",
                    "test_crop.kwargs": {},
                },
            ).train.batches([Request(np.arange(9))])
        )
    with pytest.raises(InputError, match="24x24x3, config.test_crop 30x30x3"):
        dataset(photographs, **{"test_crop.kwargs": {"size": 30, "shorter_side": 32}})
    with pytest.raises(InputError, match="images of synthetic have one size; allowed: whole"):
        sources.dataset_for(configs.make(RANDOM))


class Listed:
    """Records in memory, some unreadable."""

    channels = 3
    labels = None

    def __init__(self, contents: list[bytes]):
        self.contents, self.read = contents, 0

    def __len__(self) -> int:
        return len(self.contents)

    def __getitem__(self, index: int) -> Record:
        self.read += 1
        return Record(self.contents[index], index, f"image {index}")


def listed(skip: bool, workers: int = 2) -> RecordSplit:
    odd, bad = list(files.odd_files().values()), list(files.unreadable_files().values())
    records = Listed([odd[0], bad[0], bad[1], odd[1], odd[2], bad[2]])
    rule = ShorterSide(8, 10)
    split = whole_split(records)
    return RecordSplit(
        records, split.index, (8, 8, 3), Reading(rule, rule, workers=workers, skip=skip)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_images_fail_by_name(workers: int) -> None:
    split = listed(skip=False, workers=workers)
    with pytest.raises(InputError, match="image 1 cannot be read: .*truncated.*'skip'"):
        list(split.batches([Request(np.arange(6))], train=True))


def test_unreadable_images_are_replaced_in_training(caplog: pytest.LogCaptureFixture) -> None:
    split = listed(skip=True)
    batch = next(split.batches([Request(np.arange(6))], train=True))
    assert list(batch.labels) == [0, 3, 3, 3, 4, 0] and batch.readable.all()
    np.testing.assert_array_equal(batch.images[1], batch.images[3])
    assert sorted(split.reading.unreadable) == ["image 1", "image 2", "image 5"]
    assert len(caplog.records) == 3, "each is told once"


def test_unreadable_images_are_marked_in_evaluation() -> None:
    batch = next(listed(skip=True).batches([Request(np.arange(6))]))
    assert list(batch.readable) == [True, False, False, True, True, False]
    assert list(batch.labels) == list(range(6)) and not batch.images[1].any()


def test_nothing_but_unreadable_images_is_an_error() -> None:
    records = Listed([b"", b"nothing"])
    rule = ShorterSide(8, 10)
    split = RecordSplit(records, np.arange(2), (8, 8, 3), Reading(rule, rule, skip=True))
    with pytest.raises(InputError, match="cannot be read"):
        next(split.batches([Request(np.arange(2))], train=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_is_bounded(workers: int) -> None:
    split = listed(skip=True, workers=workers)
    requests = (Request(np.array([0, 3, 4, 4])) for _ in itertools.count())
    batches = stream(split, requests, train=True)
    for _ in range(5):
        next(batches)
    batches.close()  # type: ignore[attr-defined]
    ahead = split.reading.prefetch if workers else 0
    assert split.records.read <= 4 * (5 + ahead)  # type: ignore[attr-defined]
