import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.digits import digits
from cnn_jax.data.synthetic import example, synthetic
from tests import configs


def test_digits_are_scikit_learns_in_the_documented_split() -> None:
    pixels, labels = load_digits(return_X_y=True)
    small = digits(size=8)
    assert len(small.train) == 898 and len(small.test) == 899
    both = np.concatenate([small.train.images, small.test.images]).reshape(-1, 64)
    np.testing.assert_array_equal(both, np.rint(pixels * 255 / 16).astype(np.uint8))
    np.testing.assert_array_equal(np.concatenate([small.train.labels, small.test.labels]), labels)


def test_digits_are_resized() -> None:
    large = digits()
    assert large.train.images.shape == (898, 32, 32, 1)
    assert large.train.images.dtype == np.uint8 and large.train.images.max() == 255
    # Bilinear: the mean of an image hardly changes.
    small = digits(size=8)
    means = [images.mean((1, 2, 3)) for images in (large.test.images, small.test.images)]
    assert np.abs(means[0] - means[1]).max() < 6


def test_synthetic_examples_depend_on_seed_and_index_alone() -> None:
    short, long = synthetic(train=5, test=3, size=8), synthetic(train=9, test=3, size=8)
    np.testing.assert_array_equal(short.train.images, long.train.images[:5])
    np.testing.assert_array_equal(short.test.images, long.test.images)
    other = synthetic(train=5, test=3, size=8, seed=1)
    assert not np.array_equal(other.train.images, short.train.images)
    assert not np.array_equal(short.test.images[0], short.train.images[0])


@pytest.mark.parametrize(("size", "channels", "classes"), [(1, 1, 1), (5, 3, 1000), (12, 4, 7)])
def test_synthetic_takes_any_shape(size: int, channels: int, classes: int) -> None:
    made = synthetic(train=20, test=2, size=size, channels=channels, classes=classes)
    assert made.image_shape == (size, size, channels) and made.num_classes == classes
    assert made.train.labels.max() < classes


def test_synthetic_classes_are_all_drawn_and_distinct() -> None:
    labels = [example(0, i, 8, 1, 10, 0.0)[1] for i in range(300)]
    assert set(labels) == set(range(10))


@pytest.mark.parametrize("key", ["train", "size", "classes"])
def test_synthetic_refuses_nonsense(key: str) -> None:
    with pytest.raises(InputError, match=f"config.data.kwargs.{key} = 0"):
        synthetic(**{key: 0})
    with pytest.raises(InputError, match="noise"):
        synthetic(noise=-1.0)


def test_train_examples_limits_train_only() -> None:
    loaded = sources.load(configs.make({"data.train_examples": 20}).data)
    assert len(loaded.train) == 20 and len(loaded.validation) == 10
    with pytest.raises(InputError, match="train_examples = 51: synthetic has 50"):
        sources.load(configs.make({"data.train_examples": 51}).data)
