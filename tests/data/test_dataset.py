import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit, Dataset, Split, carve_validation
from cnn_jax.data.records import Record, Request
from cnn_jax.data.streams import RecordSplit, whole_split


def dataset(n: int) -> Dataset:
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
    train = Split(images, np.arange(n, dtype=np.int32))
    return Dataset(
        train, train.take(np.arange(0)), train.take(np.arange(1)), tuple(map(str, range(n)))
    )


@given(st.integers(12, 60), st.integers(2, 12), st.sampled_from(["interleaved", "contiguous"]))
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


class Labelled:
    """Records of which the labels are known early or late; no image is read to check a label."""

    channels = 3

    def __init__(self, labels: list[int], early: bool):
        self._all = np.array(labels, np.int32)
        self.labels = self._all if early else None
        self.read = 0

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Record:
        self.read += 1
        return Record(np.zeros((2, 2, 3), np.uint8), int(self._all[index]), f"image {index}")


def split_of(labels: list[int], resident: bool) -> AnySplit:
    if resident:
        return Split(np.zeros((len(labels), 2, 2, 3), np.uint8), np.array(labels, np.int32))
    return whole_split(Labelled(labels, early=True))


@given(
    st.lists(st.integers(-2, 5), min_size=1, max_size=8),
    st.integers(1, 5),
    st.sampled_from(["train", "validation", "test"]),
    st.booleans(),
)
def test_labels_are_classes(labels: list[int], classes: int, name: str, resident: bool) -> None:
    good, given_split = split_of([0], resident), split_of(labels, resident)
    parts = dict.fromkeys(("train", "validation", "test"), good) | {name: given_split}
    wrong = [i for i, label in enumerate(labels) if not 0 <= label < classes]
    names = tuple("abcdefgh"[:classes])
    if not wrong:
        assert Dataset(**parts, class_names=names).splits[name] is given_split
        return
    said = f"split '{name}': example {wrong[0]} has label {labels[wrong[0]]}, .*0 to {classes - 1}"
    with pytest.raises(InputError, match=said):
        Dataset(**parts, class_names=names)
    if not given_split.resident:
        assert given_split.records.read == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("train", [True, False])
def test_labels_that_lie_beside_their_images_are_looked_at_as_they_are_read(train: bool) -> None:
    raw = RecordSplit(Labelled([0, 1, -1, 7], early=False), np.arange(4), image_shape=(2, 2, 3))
    assert raw.record(2).label == -1, "a preparation counts what there is"
    split = Dataset(raw, raw, raw, ("a", "b")).checked_as_read().train
    batch = next(split.batches([Request(np.array([0, 1]))], train))
    assert list(batch.labels) == [0, 1]
    for example, label in ((2, -1), (3, 7)):
        with pytest.raises(InputError, match=f"image {example} has label {label}: .* 0 to 1"):
            next(split.batches([Request(np.array([0, example]))], train))


IMAGES, LABELS = np.zeros((3, 2, 2, 1), np.uint8), np.arange(3, dtype=np.int32)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.full((3, 2, 2, 1), 0.5), LABELS, "float64, 0.5 in example 0: must be uint8"),
        (IMAGES.astype(np.float32), LABELS, "float32: must be uint8"),
        (IMAGES.astype(np.int64) + LABELS.reshape(3, 1, 1, 1) * 200, LABELS, "400 in example 2"),
        (IMAGES[..., 0], LABELS, r"shape \(3, 2, 2\): must be \(N, H, W, C\)"),
        (IMAGES, LABELS[:2], r"labels .* shape \(2,\): must be \(3,\)"),
        (IMAGES, np.eye(3, dtype=np.int32), "one for each image"),
        (IMAGES, LABELS + 0.5, r"labels .* float64, as \[0.5\]: must be int32"),
    ],
)
def test_splits_of_anything_else_are_refused(
    images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Split(images, labels)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ([0, 3], r"index\[1\] .* is 3: there are 3 records"),
        ([-1], r"index\[0\] .* is -1"),
        ([0.0], "float64"),
        ([[0]], r"\(1, 1\); must be integers"),
    ],
)
def test_an_index_names_records(index: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        RecordSplit(Labelled([0, 0, 0], early=True), np.array(index))


@pytest.mark.parametrize("rule", ["interleaved", "contiguous"])
def test_every_fold_needs_an_example(rule: str) -> None:
    with pytest.raises(InputError, match="validation_folds = 21: train has 20 examples"):
        carve_validation(dataset(20), 21, 0, rule)
    carved = carve_validation(dataset(20), 20, 0, rule)
    assert len(carved.validation) == 1
