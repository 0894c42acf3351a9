import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.seeing.embedding import MOST, nearest, neighbour_purity, project


def clusters(apart: float, each: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(3), each)
    return rng.standard_normal((len(labels), 2, 5)) + apart * labels[:, None, None], labels


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_what_is_apart_stays_apart(method: str) -> None:
    features, labels = clusters(20)
    found = project(features, method)  # type: ignore[arg-type]
    assert found.points.shape == (36, 2) and neighbour_purity(found.points, labels, 5) == 1
    again = project(features, method)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.points, again.points)


@given(st.integers(3, 9), st.integers(1, 4))
def test_few_examples_and_few_features_have_points(n: int, width: int) -> None:
    features = np.random.default_rng(n).standard_normal((n, width))
    assert np.isfinite(project(features, "pca").points).all()


def test_too_many_too_few_and_broken_are_sentences() -> None:
    for features in (np.zeros((2, 3)), np.zeros((MOST + 1, 3)), np.full((4, 2), np.nan)):
        with pytest.raises(InputError, match=r"allowed: 3 to 2,000|not finite"):
            project(features, "pca")


@given(st.integers(0, 999))
def test_nearest_is_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, queries = rng.standard_normal((20, 3)), rng.standard_normal((4, 3))
    order, distances = nearest(features, queries, 6)
    true = np.linalg.norm(queries[:, None] - features[None], axis=-1)
    np.testing.assert_allclose(distances, np.sort(true, 1)[:, :6], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(true, order, 1), distances, atol=1e-6)
    own, _ = nearest(features, features[:5], 3, exclude=range(5))
    assert not (own == np.arange(5)[:, None]).any()


def test_purity_by_hand() -> None:
    features, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 0])
    assert neighbour_purity(features, labels, 1) == 0.5
