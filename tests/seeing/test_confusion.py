"""What is counted of the mistakes of a classifier."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnn_jax.evaluation.predictions import Predictions
from cnn_jax.report.confusion_picture import draw_confusion
from cnn_jax.seeing.confusion import (
    confident_mistakes,
    confused_pairs,
    worst_classes,
)


def predictions(seed: int, n: int, classes: int) -> Predictions:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.3), n).astype(np.float32)
    labels, readable = rng.integers(0, classes, n).astype(np.int32), rng.random(n) < 0.9
    names = np.array([f"image {i}" for i in range(n)])
    return Predictions(p, labels, readable, names, np.array([f"c{i}" for i in range(classes)]))


@given(st.integers(0, 2**16), st.integers(1, 60), st.integers(2, 7))
def test_every_mistake_is_told_once_the_surest_first(seed: int, n: int, classes: int) -> None:
    one = predictions(seed, n, classes)
    found = confident_mistakes(one, n)
    wrong = {
        i for i in range(n) if one.readable[i] and one.probabilities[i].argmax() != one.labels[i]
    }
    assert {mistake.example for mistake in found} == wrong and len(found) == len(wrong)
    sure = [mistake.probability for mistake in found]
    assert sure == sorted(sure, reverse=True)
    assert all(m.probability >= m.of_label and m.answer != m.label for m in found)
    matrix = one.confusion()
    pairs = confused_pairs(matrix, classes**2)
    assert sum(count for _, _, count in pairs) == len(wrong) == matrix.sum() - np.trace(matrix)
    counts = [count for _, _, count in pairs]
    assert counts == sorted(counts, reverse=True) and 0 not in counts
    for told in worst_classes(one, classes):
        low, high = told["interval"]
        assert low <= told["error"] <= high


def test_the_picture_has_any_number_of_classes(tmp_path: Path) -> None:
    for classes in (1, 3, 45):
        matrix = np.eye(classes, dtype=int) * 5
        matrix[0, -1] += 3
        names = tuple(f"a class with a long name {i}" for i in range(classes))
        draw_confusion(matrix, names, "made up", tmp_path / "confusion.png")
        with Image.open(tmp_path / "confusion.png") as picture:
            assert min(picture.size) > 400
