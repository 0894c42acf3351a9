"""A run goes on with the data that it began with, or not at all."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset, Split
from cnn_jax.data.manifest import write_manifest
from cnn_jax.data.preprocessing import Preprocessing, preprocessing_for
from cnn_jax.data.same_data import check_same_data, data_record, other_examples
from tests import configs


def dataset(n: int = 20, seed: int = 0) -> Dataset:
    images = np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 3), np.uint8)
    train = Split(images, np.zeros(n, np.int32))
    return Dataset(train, train.take(np.arange(2)), train.take(np.arange(3)), ("cat", "dog"))


def record_of(data: Dataset, made: Preprocessing, **keys: Any) -> dict[str, Any]:
    config = configs.quick({name.replace("__", "."): value for name, value in keys.items()})
    return data_record(data, made, config.data)


@pytest.mark.parametrize("normalisation", ["standardise", "mean_image", "imagenet"])
def test_the_same_data_passes(normalisation: str) -> None:
    data = dataset()
    made = preprocessing_for(data, normalisation)
    again = record_of(dataset(), preprocessing_for(dataset(), normalisation))
    check_same_data(record_of(data, made), again)


@pytest.mark.parametrize(
    ("other", "normalisation", "message"),
    [
        (dataset(n=21), "imagenet", "train had 20 examples, now 21"),
        (dataset(seed=1), "standardise", "mean and deviation were"),
        (dataset(seed=1), "mean_image", "mean and deviation were"),
        (replace(dataset(), class_names=("cat", "cow")), "unit", "class 1 was 'dog', now 'cow'"),
        (replace(dataset(), class_names=("cat",)), "unit", "there were 2 classes, now 1"),
    ],
)
def test_other_data_is_refused(other: Dataset, normalisation: str, message: str) -> None:
    data = dataset()
    record = record_of(data, preprocessing_for(data, normalisation))
    with pytest.raises(InputError, match=message):
        check_same_data(record, record_of(other, preprocessing_for(other, normalisation)))


def test_an_evaluation_on_other_images_is_told(tmp_path: Path) -> None:
    data, config = replace(dataset(), fingerprint="abc"), configs.quick().data
    record = record_of(data, preprocessing_for(data, "unit"))
    assert other_examples(record, data, config) == [] == other_examples({}, data, config)
    (text,) = other_examples(record, replace(data, fingerprint="abd"), config)
    assert text.startswith("the fingerprint was abc, now abd")
    fewer = replace(data, test=data.train.take(np.arange(1)))
    assert other_examples(record, fewer, config) == ["test had 3 examples, now 1"]


def test_a_checkpoint_of_an_earlier_version_says_less() -> None:
    data = dataset()
    made = preprocessing_for(data, "unit")
    record = record_of(data, made)
    del record["examples"]
    check_same_data(record, record_of(dataset(n=21), made))


def test_a_folder_is_known_by_its_fingerprint() -> None:
    """Which its source tells; a checkpoint of an earlier version has none."""
    data = replace(dataset(), fingerprint="abc")
    made = preprocessing_for(data, "unit")
    record = record_of(data, made)
    check_same_data(record | {"fingerprint": None}, record)
    check_same_data({k: v for k, v in record.items() if k != "fingerprint"}, record)
    with pytest.raises(InputError, match="fingerprint was abc, now xyz"):
        check_same_data(record, record_of(replace(data, fingerprint="xyz"), made))


def test_an_accent_may_be_written_in_two_ways() -> None:
    one, other = (replace(dataset(), class_names=("cat", word)) for word in ("é", "e\u0301"))
    made = [preprocessing_for(data, "unit") for data in (one, other)]
    check_same_data(record_of(one, made[0]), record_of(other, made[1]))


def test_prepared_data_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    """Where numbers and means agree and the images do not."""
    data = dataset()
    made = preprocessing_for(data, "imagenet")
    keys = {"data__source": "store", "data__directory": str(tmp_path), "data__kwargs": {}}
    record = record_of(data, made) | {"fingerprint": "abc"}
    check_same_data(record, record_of(data, made, **keys))
    write_manifest(tmp_path, {"fingerprint": "abc"})
    check_same_data(record, record_of(data, made, **keys))
    write_manifest(tmp_path, {"fingerprint": "xyz"})
    with pytest.raises(InputError, match="fingerprint was abc, now xyz"):
        check_same_data(record, record_of(data, made, **keys))
