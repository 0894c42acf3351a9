import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset, Split, carve_validation


def dataset(n: int) -> Dataset:
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
    train = Split(images, np.arange(n, dtype=np.int32))
    return Dataset(train, train.take(np.arange(0)), train.take(np.arange(1)), ("a", "b"))


@given(st.integers(2, 60), st.integers(2, 12), st.sampled_from(["interleaved", "contiguous"]))
def test_folds_divide_train(n: int, folds: int, rule: str) -> None:
    held_out = []
    for fold in range(folds):
        carved = carve_validation(dataset(n), folds, fold, rule)
        assert sorted([*carved.train.labels, *carved.validation.labels]) == list(range(n))
        held_out.append(list(carved.validation.labels))
    assert sorted(label for part in held_out for label in part) == list(range(n))
    sizes = [len(part) for part in held_out]
    assert max(sizes) - min(sizes) <= 1


def test_contiguous_folds_are_blocks() -> None:
    carved = carve_validation(dataset(10), 5, 4, "contiguous")
    assert list(carved.validation.labels) == [8, 9]


def test_no_folds_leave_train_whole() -> None:
    assert len(carve_validation(dataset(10), 0, 0, "interleaved").train) == 10


def test_split_errors() -> None:
    with pytest.raises(InputError, match="did you mean 'validation'"):
        dataset(4).split("valid")
    with pytest.raises(InputError, match="is empty"):
        dataset(4).split("validation")
