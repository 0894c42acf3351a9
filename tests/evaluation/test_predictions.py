from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.exact import counted
from cnn_jax.evaluation.exclusion import read_exclusion
from cnn_jax.evaluation.predictions import Predictions, averaged, load_predictions
from cnn_jax.step.counts import count_correct

N, CLASSES = 50, 8


def predictions(seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(CLASSES, 0.3), N).astype(np.float32)
    p[:5] = np.round(p[:5], 1)  # ties
    labels = np.arange(N, dtype=np.int32) % (CLASSES - 1)  # the last class does not occur
    names = np.array([f"image {i}" for i in range(N)])
    return Predictions(p, labels, np.ones(N, bool), names, np.array(list("abcdefgh")))


def test_an_ensemble_is_the_mean_of_the_probabilities() -> None:
    members = [predictions(seed) for seed in range(3)]
    mean = np.mean([member.probabilities.astype(np.float64) for member in members], axis=0)
    found = averaged(members)
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-7)
    order = np.argsort(-mean, axis=1, kind="stable")
    labels = members[0].labels
    assert found.evaluation().n == N
    assert found.evaluation().top1_error == (order[:, 0] != labels).mean()
    assert found.evaluation().top5_error == (order[:, :5] != labels[:, None]).all(1).mean()
    assert averaged(members[:1]) is members[0]


def test_errors_are_counted_as_on_the_device() -> None:
    one = predictions(0)
    one.probabilities[7] = np.nan
    counts = count_correct(
        jnp.asarray(one.probabilities), jnp.asarray(one.labels), jnp.ones(N), jnp.zeros(N)
    )
    found = one.evaluation()
    assert found.top1_error == (N - int(counts.top1)) / N
    assert found.top5_error == (N - int(counts.top5)) / N


def test_loss_and_classes() -> None:
    one = predictions(1)
    of_label = one.probabilities[np.arange(N), one.labels].astype(np.float64)
    expected = -np.log(np.maximum(of_label, 2.0**-126)).mean()
    assert one.evaluation().loss == pytest.approx(expected)
    classes = one.errors_of_classes()
    assert list(classes) == list("abcdefg"), "classes that do not occur have no error"
    assert sum(found["n"] for found in classes.values()) == N
    wrong = sum(found["n"] * found["top1_error"] for found in classes.values())
    assert wrong / N == pytest.approx(one.evaluation().top1_error)
    confusion = one.confusion()
    assert confusion.sum() == N
    assert 1 - np.trace(confusion) / N == pytest.approx(one.evaluation().top1_error)
    assert confusion[2].sum() == classes["c"]["n"]


def test_what_one_member_could_not_read_is_left_out() -> None:
    one, other = predictions(0), predictions(1)
    other.readable[3] = False
    found = averaged([one, other])
    evaluation = found.evaluation()
    assert (evaluation.n, evaluation.examples) == (N - 1, N)
    assert evaluation.unreadable == ("image 3",) and (found.probabilities[3] == 0).all()


def test_what_a_file_lists_is_left_out_and_counted(tmp_path: Path) -> None:
    """A bare number is that of an image of ILSVRC's validation set; a name may lack its folder."""
    one = predictions(0)
    names = [f"val/ILSVRC2012_val_{i + 1:08d}.JPEG" for i in range(N)]
    one = replace(one, names=np.array(names))
    one.readable[[0, 30]] = False
    (tmp_path / "list.txt").write_text(f"1\n36\nILSVRC2012_val_00000041.JPEG\n{names[4]}\n\n")
    some = replace(one, exclusion=read_exclusion(tmp_path / "list.txt"))
    left = [i for i in range(N) if i not in (0, 35, 40, 4, 30)]
    only = replace(
        one, **{k: getattr(one, k)[left] for k in ("probabilities", "labels", "readable", "names")}
    )
    found, expected = some.evaluation(), only.evaluation()
    assert (found.n, found.top1_error, found.loss) == (45, expected.top1_error, expected.loss)
    assert some.errors_of_classes() == only.errors_of_classes()
    np.testing.assert_array_equal(some.confusion(), only.confusion())
    text = "n=45/50, 1 unreadable: val/ILSVRC2012_val_00000031.JPEG, 4 excluded by list.txt"
    assert counted(found.to_tree()) == text
    assert counted(averaged([some, some]).evaluation().to_tree()) == text
    some.save(tmp_path / "all.npz")
    assert load_predictions(tmp_path / "all.npz").evaluation().n == 48, "the file holds all of them"


def test_a_list_of_other_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("image 3\nimage 50\n7\n")
    some = replace(predictions(0), exclusion=read_exclusion(tmp_path / "list.txt"))
    with pytest.raises(InputError, match=r"2 are not in the split: ILSVRC2012_val_00000007.JPEG, "):
        some.evaluation()
    (tmp_path / "empty.txt").write_text("\n")
    for bad, message in (("empty.txt", "lists nothing"), ("missing.txt", "cannot be read")):
        with pytest.raises(InputError, match=message):
            read_exclusion(tmp_path / bad)


def test_members_must_be_of_the_same_examples() -> None:
    one, other = predictions(0), predictions(1)
    other.labels[0] = 5
    with pytest.raises(InputError, match="members 1 and 2 of the ensemble differ in their labels"):
        averaged([one, other])


def test_saved_predictions_come_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    one = predictions(0)
    one.save(tmp_path / "one.npz")
    again = load_predictions(tmp_path / "one.npz")
    for name in ("probabilities", "labels", "readable", "names", "class_names"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    with pytest.raises(InputError, match=r"into an \.npz file"):
        one.save(tmp_path / "one.npy")
    with pytest.raises(InputError, match="cannot be written"):
        one.save(tmp_path / "nowhere" / "one.npz")
    (tmp_path / "text.npz").write_text("text")
    for bad in ("text.npz", "missing.npz"):
        with pytest.raises(InputError, match="holds no predictions|no such file"):
            load_predictions(tmp_path / bad)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("probabilities", np.zeros((N, CLASSES), int), "probabilities are int64"),
        ("probabilities", np.zeros((N, CLASSES, 1)), "probabilities are float64"),
        ("probabilities", np.full((N, CLASSES), 2.0), "example 0 are not between 0 and 1"),
        ("probabilities", np.zeros((N, CLASSES + 1)), "8 class names for probabilities of 9"),
        ("labels", np.arange(N, dtype=np.int32), "label 8 of example 8; allowed: 0 to 7"),
        ("labels", np.full(N, -1), "label -1 of example 0"),
        ("labels", np.zeros(N), "labels are float64"),
        ("labels", np.zeros(N - 1, int), "labels have the shape"),
        ("readable", np.ones(N, int), "readable is int64"),
        ("names", np.array("x"), "names have the shape"),
    ],
)
def test_predictions_of_another_make_are_named(
    name: str, value: np.ndarray, message: str, tmp_path: Path
) -> None:
    replace(predictions(0), **{name: value}).save(tmp_path / "p.npz")
    with pytest.raises(InputError, match=message):
        load_predictions(tmp_path / "p.npz")
