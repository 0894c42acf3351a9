"""Views to probabilities, against numpy loops."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import ShorterSide
from cnn_jax.data.dataset import Split
from cnn_jax.data.folder import folder
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.resize import apply_crop
from cnn_jax.evaluation.protocols import Protocol, protocol_of
from cnn_jax.evaluation.views import Seen, views_of
from cnn_jax.inference.multi_view import check_record, predict, predict_split
from cnn_jax.inference.restored import restore
from cnn_jax.models.score_maps import score_maps
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from tests import configs

RECORD = Preprocessing(12, 12, 3, "bilinear", (0.0,) * 3, (1.0,) * 3, tuple("abcdef"))
WEIGHTS = np.random.default_rng(9).normal(0, 0.005, (3, 6))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def network(images: np.ndarray) -> Any:
    """Something that any view can be shown to."""
    ramp = np.linspace(-1, 1, images.shape[2])[:, None]
    return softmax((images * ramp).mean((1, 2)) @ WEIGHTS + images[:, 0, 0] @ WEIGHTS)


def images(n: int) -> Split:
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 255, (n, 16, 20, 3), np.uint8)
    return Split(pixels, (np.arange(n) % 6).astype(np.int32))


def by_hand(split: Split, protocol: Protocol) -> np.ndarray:
    rows = []
    for image in split.images:
        crops = protocol.crops(*image.shape[:2])
        rows.append(np.mean([network(apply_crop(image, c)[None])[0] for c in crops], axis=0))
    return np.array(rows)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("centre", {}),
        ("10_crop", {"shorter_side": 14}),
        ("144_crop", {"scales": (13, 16)}),
        ("dense", {"scales": (12, 15)}),
    ],
)
@pytest.mark.parametrize(("n", "batch_size", "workers"), [(7, 4, 0), (5, 64, 2), (1, 1, 1)])
def test_probabilities_are_the_mean_over_the_views(
    name: str, arguments: dict[str, Any], n: int, batch_size: int, workers: int
) -> None:
    split, protocol = images(n), protocol_of(name, arguments, ShorterSide(12, 14), 12)
    seen = views_of(split, protocol, workers, skip=False)
    found = predict(network, seen, n, RECORD, protocol, batch_size)
    np.testing.assert_allclose(found.probabilities, by_hand(split, protocol), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.labels, split.labels)
    assert found.evaluation().n == n and len(set(found.names)) == n


def test_few_shapes_of_batches_reach_the_network() -> None:
    shapes = []

    def counting(batch: np.ndarray) -> Any:
        shapes.append(batch.shape)
        return network(batch)

    protocol = protocol_of("10_crop", {"shorter_side": 14}, ShorterSide(12, 14), 12)
    predict(counting, views_of(images(7), protocol, 0, False), 7, RECORD, protocol, 8)
    assert set(shapes) == {(8, 12, 12, 3)} and len(shapes) == 5


def test_a_lost_example_is_an_error() -> None:
    protocol = protocol_of("centre", {}, ShorterSide(12, 14), 12)

    def loses_one() -> Iterator[Seen]:
        yield from list(views_of(images(5), protocol, 0, False))[:-1]

    with pytest.raises(RuntimeError, match="n=4/5"):
        predict(network, loses_one(), 5, RECORD, protocol, 4)


def test_views_of_another_size_are_refused() -> None:
    protocol = protocol_of("centre", {}, ShorterSide(10, 14), 12)
    with pytest.raises(InputError, match=r"example 0: a view has shape \(10, 10, 3\)"):
        predict(network, views_of(images(2), protocol, 0, False), 2, RECORD, protocol, 4)


def test_unreadable_files_are_named_and_not_counted(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in "ab":
            (tmp_path / part / name).mkdir(parents=True)
            for i, image in enumerate(images(3).images):
                Image.fromarray(image).save(tmp_path / part / name / f"{i}.png")
    (tmp_path / "val" / "b" / "1.png").write_text("text")
    split = folder(str(tmp_path)).test
    protocol = protocol_of("10_crop", {"shorter_side": 14}, ShorterSide(12, 14), 12)
    with pytest.raises(InputError, match=r"1\.png cannot be read"):
        list(views_of(split, protocol, 2, skip=False))
    seen = views_of(split, protocol, 2, skip=True)
    found = predict(network, seen, len(split), RECORD, protocol, 4).evaluation()
    assert (found.n, found.examples) == (5, 6) and "1.png" in found.unreadable[0]


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    network = {"width": 0.05, "convolutions": (1, 1), "dropout_rate": 0.5}
    run = prepare(configs.make({"model.name": "vgg", "model.kwargs": network} | LARGER))
    checkpoints = Checkpoints(directory)
    checkpoints.save(1, run.initial_state(), run.checkpoint_record(), None)
    checkpoints.close()
    return directory


LARGER = {"data.kwargs.size": 16, "data.kwargs.channels": 3}


def test_a_checkpoint_by_every_protocol(run_directory: Path) -> None:
    restored = restore(run_directory)
    images = prepare(restored.config).dataset.test.images
    shown = lambda x: np.asarray(restored.probabilities(np.ascontiguousarray(x)))
    found = predict_split(restored, "test", "centre", {}, 8)
    np.testing.assert_allclose(found.probabilities, shown(images), rtol=1e-5)
    assert found.evaluation().n == 17
    found = predict_split(restored, "test", "10_crop", {"shorter_side": 16}, 8)
    expected = (shown(images) + shown(images[:, :, ::-1])) / 2  # all five are the whole image
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    found = predict_split(restored, "test", "dense", {"scales": (16, 20, 24)}, 8)
    assert found.evaluation().n == 17
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)


def test_dense_probabilities_of_a_checkpoint(run_directory: Path) -> None:
    """Scores averaged over positions, softmax, averaged with the mirror."""
    restored = restore(run_directory)
    larger = np.random.default_rng(0).integers(0, 255, (3, 24, 20, 3), np.uint8)
    found = np.asarray(restored.probability_function(mirrored=True, dense=True)(larger))
    variables = {"params": restored.params, "batch_stats": restored.batch_stats}
    expected = []
    for shown in (larger, larger[:, :, ::-1]):
        inputs = restored.preprocessing(np.ascontiguousarray(shown))
        scores = np.asarray(score_maps(restored.model, variables, inputs))
        assert scores.shape == (3, 3, 2, 4)
        expected.append(softmax(scores.mean((1, 2))))
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-5)


def test_averaged_parameters_must_be_there(run_directory: Path) -> None:
    with pytest.raises(InputError, match="no averaged parameters"):
        predict_split(restore(run_directory), "test", "centre", {}, 8, averaged=True)


def test_other_data_than_in_training_is_refused_unless_forced() -> None:
    names = RECORD.class_names
    check_record(RECORD, names, 3, force=False, shape=(12, 12, 3))
    with pytest.raises(InputError, match="3 channels, the data has 1; --force"):
        check_record(RECORD, names, 1, force=False)
    with pytest.raises(InputError, match=r"images of \(12, 12, 3\), these are \(14, 14, 3\)"):
        check_record(RECORD, names, 3, force=False, shape=(14, 14, 3))
    with pytest.raises(InputError, match="6 classes, the data has 6: 'b' was 1, now 'x'"):
        check_record(RECORD, tuple("axcdef"), 3, force=False)
    check_record(RECORD, tuple("ax"), 1, force=True)


def test_the_host_does_not_wait_for_each_batch() -> None:
    """More than one batch is in flight."""
    order = []

    class Lazy:
        def __init__(self, number: int, values: np.ndarray):
            self.number, self.values = number, values

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            order.append(("fetched", self.number))
            return self.values.astype(dtype)

    def function(batch: np.ndarray) -> Any:
        number = sum(kind == "begun" for kind, _ in order)
        order.append(("begun", number))
        return Lazy(number, network(batch))

    protocol = protocol_of("centre", {}, ShorterSide(12, 14), 12)
    predict(function, views_of(images(8), protocol, 0, False), 8, RECORD, protocol, 1)
    assert order.index(("fetched", 0)) > order.index(("begun", 3))
    assert len([kind for kind, _ in order if kind == "fetched"]) == 8
