"""Planted faults: each is named by the check that is there for it, and nothing else is blamed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset, Split
from cnn_jax.diagnostics.levels import FAIL, OK, WARN, worst
from cnn_jax.diagnostics.preflight.data_checks import class_counts, duplicates
from cnn_jax.diagnostics.preflight.finding import Finding, table
from cnn_jax.diagnostics.preflight.gradient_check import gradient
from cnn_jax.diagnostics.preflight.input_checks import normalisation
from cnn_jax.diagnostics.preflight.label_checks import agreement, label_agreement
from cnn_jax.diagnostics.preflight.layer_checks import layers
from cnn_jax.diagnostics.preflight.learning_checks import learning
from cnn_jax.diagnostics.preflight.loss_checks import losses
from cnn_jax.diagnostics.preflight.session import CHECKS, chosen, preflight
from cnn_jax.diagnostics.preflight.subject import Subject
from cnn_jax.layers import activations
from cnn_jax.step import objective
from cnn_jax.storage.run_directory import read_json
from cnn_jax.training import run as run_module
from tests import configs
from tests.binaries import run
from tests.slow_but import slow_but

SOUND: dict[str, Any] = {
    "data.kwargs.train": 240,
    "data.kwargs.test": 200,
    "data.kwargs.size": 12,
    "model.kwargs": {"layers": (32, 16), "activation": "relu", "kernel_init": "he_normal"},
    "optim.learning_rate": 0.03,
    "schedule.warmup_epochs": 0.0,
}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leaves the process in the precision that it had."""
    wide = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", wide)


def subject_of(where: Path, changes: dict[str, Any] | None = None) -> Subject:
    return Subject(configs.quick(SOUND | (changes or {})), 32, where)


def with_data(subject: Subject, **splits: Split) -> Subject:
    """The same subject, of other data."""
    subject.run = replace(subject.run, dataset=replace(subject.run.dataset, **splits))
    return subject


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def in_memory(subject: Subject) -> tuple[Dataset, Split, Split]:
    dataset = subject.run.dataset
    assert isinstance(dataset.train, Split) and isinstance(dataset.test, Split)
    return dataset, dataset.train, dataset.test


@pytest.mark.slow
def test_nothing_is_blamed_of_a_sound_config(tmp_path: Path) -> None:
    report = preflight(configs.quick(SOUND), 32, tmp_path, list(CHECKS))
    assert {one.check: one.level for one in report.findings} == dict.fromkeys(
        (
            *("classes", "labels", "duplicates", "inputs", "first loss", "regularisation"),
            *("updates", "dead units", "learns", "rate", "images help", "gradient"),
        ),
        OK,
    ), report.describe()
    record = read_json(tmp_path / "preflight.json")
    assert record["level"] == OK and len(record["findings"]) == len(report.findings)
    assert sum(one["seconds"] or 0 for one in record["findings"]) <= record["seconds"]
    assert (tmp_path / "sheet.png").stat().st_size > 5000


@pytest.mark.parametrize("where", slow_but(["activation"], ["activation", "loss"]))
def test_a_wrong_sign_in_a_gradient(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "activation":
        wrong = jax.custom_vjp(jax.nn.relu)
        wrong.defvjp(lambda x: (jax.nn.relu(x), x), lambda x, g: (-g * (x > 0),))
        monkeypatch.setitem(activations.ACTIVATIONS, "relu", wrong)
    else:
        right = objective.LOSSES["softmax"]

        @jax.custom_vjp
        def back_to_front(losses: jax.Array) -> jax.Array:
            return losses

        back_to_front.defvjp(lambda x: (x, None), lambda _, g: (-g,))
        monkeypatch.setitem(
            objective.LOSSES, "softmax", lambda *arguments: back_to_front(right(*arguments))
        )
    (found,) = gradient(subject_of(tmp_path, {"optim.weight_decay": 0.0}))
    errors = found.figures["errors"]
    wrong = {name for name, of_array in errors.items() if max(of_array) > 0.5}
    assert found.level == FAIL and f"{len(wrong)} arrays" in found.said
    if where == "activation":  # twice wrong is right again, in fc1
        assert wrong == {"fc2/bias", "fc2/kernel"} and "right are fc1/bias" in found.remedy
    else:
        assert wrong == set(errors)


def test_a_kink_at_the_first_weights_is_no_fault(tmp_path: Path) -> None:
    """Black images and biases of zero: all units of the first layer stand on their kink."""
    subject = subject_of(tmp_path, {"data.normalisation": "unit"})
    _, train, _ = in_memory(subject)
    (found,) = gradient(with_data(subject, train=replace(train, images=0 * train.images)))
    assert found.level == OK, found


def test_labels_that_are_shuffled(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)
    assert label_agreement(subject)[0].level == OK
    _, train, test = in_memory(subject)
    shuffled = replace(train, labels=np.random.default_rng(0).permutation(train.labels))
    (found,) = label_agreement(with_data(subject, train=shuffled))
    assert found.level == FAIL and "shuffled" in found.remedy, found
    nowhere = replace(test, labels=np.random.default_rng(1).permutation(test.labels))
    (found,) = label_agreement(with_data(subject, test=nowhere))
    assert found.level == WARN and "look at the sheet" in found.remedy, found


def test_classes_that_are_numbered_otherwise_in_test(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)
    _, _, test = in_memory(subject)
    (found,) = label_agreement(with_data(subject, test=replace(test, labels=(test.labels + 1) % 4)))
    assert found.level == FAIL and "number their classes" in found.remedy, found


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 20), count=st.integers(60, 300))
def test_labels_drawn_at_random_agree_by_chance(seed: int, classes: int, count: int) -> None:
    random = np.random.default_rng(seed)
    found = agreement(
        {"pixels": random.normal(size=(count, 5))}, random.integers(classes, size=count)
    )
    assert found is None or found.deviations < 5


@pytest.fixture
def no_picture() -> Iterator[None]:
    with mock.patch("cnn_jax.diagnostics.preflight.input_checks.draw_sheet"):
        yield


@pytest.mark.usefixtures("no_picture")
def test_pixels_that_nobody_normalised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = run_module.preprocessing_for
    monkeypatch.setattr(
        run_module,
        "preprocessing_for",
        lambda *arguments: replace(usual(*arguments), mean=(0.0,), std=(1 / 255,)),
    )
    (found,) = normalisation(subject_of(tmp_path))
    assert found.level == FAIL and "0 to 255" in found.said
    assert found.remedy == "--config.data.normalisation=standardise"


@pytest.mark.usefixtures("no_picture")
def test_a_mean_alone_is_no_fault(tmp_path: Path) -> None:
    (found,) = normalisation(subject_of(tmp_path, {"data.normalisation": "mean_image"}))
    assert found.level == OK and found.figures["std"][0] > 10


def test_a_rate_a_hundred_times_too_high(tmp_path: Path) -> None:
    subject = subject_of(tmp_path, {"optim.learning_rate": 3.0})
    found = by_name(learning(subject))
    assert found["learns"].level == OK, "a wrong rate is no bug"
    assert found["rate"].level == FAIL and "--config.optim.learning_rate=0." in found["rate"].remedy
    assert by_name(layers(subject))["updates"].level in (WARN, FAIL)
    warming = subject_of(tmp_path, {"optim.learning_rate": 3.0, "schedule.warmup_epochs": 1.0})
    found = by_name(learning(warming))
    assert found["rate"].level == WARN and "warms up" in found["rate"].said


@pytest.mark.slow
def test_a_rate_far_too_low_is_told_from_a_fault(tmp_path: Path) -> None:
    found = by_name(learning(subject_of(tmp_path, {"optim.learning_rate": 3e-4})))
    assert found["learns"].level == OK
    assert found["rate"].level == OK and "times the rate" in found["rate"].said


def test_a_layer_whose_biases_begin_at_minus_a_hundred(tmp_path: Path) -> None:
    network = SOUND["model.kwargs"] | {"bias_init": {"fc2": "constant(value=-100.0)", "*": "zeros"}}
    subject = subject_of(tmp_path, {"model.kwargs": network, "optim.weight_decay": 0.0})
    found = by_name(layers(subject))
    assert found["dead units"].level == FAIL
    assert "fc2" in found["dead units"].said and "-100" in found["dead units"].said
    assert found["updates"].level == WARN and "fc1" in found["updates"].said
    assert by_name(learning(subject))["learns"].level != OK
    assert gradient(subject)[0].level == OK, "zero is the right derivative"


def test_a_test_image_in_train(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)
    assert duplicates(subject)[0].level == OK
    _, train, test = in_memory(subject)
    images = train.images.copy()
    images[17] = test.images[5]
    (found,) = duplicates(with_data(subject, train=replace(train, images=images)))
    assert found.level == FAIL and "1 of test" in found.said
    assert "example 5 = example 17" in found.said
    assert found.figures["copies"]["test"] == [(5, 17)]


def test_a_class_that_train_lacks_and_one_that_is_rare(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)
    assert class_counts(subject)[0].level == OK
    _, train, _ = in_memory(subject)
    without = train.take(np.flatnonzero(train.labels != 2))
    (found,) = class_counts(with_data(subject, train=without))
    assert found.level == FAIL and "grating_0002" in found.said
    rare = np.flatnonzero(train.labels == 2)[:1]
    few = train.take(np.concatenate([np.flatnonzero(train.labels != 2), rare]))
    (found,) = class_counts(with_data(subject, train=few))
    assert found.level == WARN and "grating_0002" in found.said


def test_regularisation_that_reaches_nothing(tmp_path: Path) -> None:
    changes = {"optim.decay_multipliers": {"*": 0.0}}
    found = by_name(losses(subject_of(tmp_path, changes)))["regularisation"]
    assert found.level == FAIL and "decay_multipliers" in found.remedy
    changes = {"optim.weight_decay_form": "decoupled"}
    assert by_name(losses(subject_of(tmp_path, changes)))["regularisation"].level == OK


def test_a_first_loss_far_from_that_of_guessing(tmp_path: Path) -> None:
    network = SOUND["model.kwargs"] | {"kernel_init": "gaussian(std=1.0)"}
    found = by_name(losses(subject_of(tmp_path, {"model.kwargs": network})))["first loss"]
    assert found.level == WARN and "kernel_init=he_normal" in found.remedy


def test_a_network_that_does_not_see_its_images(tmp_path: Path) -> None:
    """All pixels alike: what is learned is how often a class comes."""
    subject = subject_of(tmp_path)
    _, train, _ = in_memory(subject)
    found = by_name(learning(with_data(subject, train=replace(train, images=0 * train.images))))
    assert found["images help"].level != OK and found["learns"].level != OK


def test_single_images_by_second_derivatives(tmp_path: Path) -> None:
    """An optimizer that measures before it moves, and a loss of which no value is expected."""
    changes = {
        "optim.name": "diagonal_levenberg_marquardt",
        "optim.kwargs": {"damping": 0.02, "batches": 20, "every": 0},
        "optim.learning_rate": 0.005,
        "optim.weight_decay": 0.0,
        "train.loss": "mean_squared_error",
        "model.kwargs": {"layers": (16,), "activation": "scaled_tanh"},
    }
    subject = subject_of(tmp_path, changes)
    found = by_name(layers(subject))
    ratios = found["updates"].figures["update_ratio"].values()
    assert min(ratios) > 0 and max(ratios) < 1, "it moves in the first step"
    first = by_name(losses(subject))["first loss"]
    assert first.level == OK and "no value is to be expected" in first.said


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([OK, WARN, FAIL]), st.text("ab ", min_size=1, max_size=9)),
        min_size=1,
    )
)
def test_the_table_has_its_columns_below_one_another(rows: list[tuple[str, str]]) -> None:
    findings = [Finding(said, level, "x" + said, "mend it" * (level != OK)) for level, said in rows]
    lines = table(findings).splitlines()
    column = lines[0].index("found")
    shown = [line for line in lines[1:] if not line.startswith(" ")]
    assert len(shown) == len(rows) and all(line[column] == "x" for line in shown)
    remedies = [line for line in lines[1:] if line.startswith(" ")]
    assert len(remedies) == sum(level != OK for level, _ in rows)
    assert worst(findings) == max((level for level, _ in rows), key=(OK, WARN, FAIL).index)


def test_checks_are_chosen_by_name() -> None:
    assert chosen([]) == list(CHECKS) and chosen(["loss", "classes"]) == ["classes", "loss"]
    with pytest.raises(InputError, match="--checks=gradients.*did you mean 'gradient'"):
        chosen(["gradients"])


def test_the_binary_says_what_failed_and_ends_with_2(tmp_path: Path) -> None:
    words = ("--config=configs/digits/linear.py", f"--output={tmp_path}/a", "--checks=classes,loss")
    done = run("preflight", *words)
    assert done.returncode == 0, done.stderr
    assert "first loss" in done.stdout and "3 ok in" in done.stdout
    done = run("preflight", *words, "--config.optim.weight_decay=0.1")
    assert done.returncode == 0, done.stdout
    frozen = ("--config.optim.weight_decay=0.1", "--config.optim.decay_multipliers={'*': 0.0}")
    done = run("preflight", *words, *frozen)
    assert done.returncode == 2 and "fail" in done.stdout and "decay_multipliers" in done.stdout
    assert read_json(tmp_path / "a" / "preflight.json")["level"] == FAIL
    done = run("preflight", *words, "--checks=gradients")
    assert done.returncode == 2 and "did you mean 'gradient'" in done.stderr
