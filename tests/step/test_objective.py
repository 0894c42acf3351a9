import jax
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.keys import SCHEMA
from cnn_jax.step.objective import (
    LOSSES,
    NO_CLASS_PENALTY,
    cross_entropy,
    lecun_1998,
    squared_error,
)
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import prepare
from tests import configs


def operands() -> tuple[np.ndarray, np.ndarray]:
    """Squared distances as LeNet-5 gives them, far from and close to the codes, and labels."""
    generator = np.random.default_rng(0)
    scale = np.array([[0.1], [5.0], [30.0], [84.0], [300.0]])
    return scale * generator.uniform(0.5, 1.5, (5, 7)), np.array([0, 6, 3, 3, 2])


def log_of_sum(values: np.ndarray) -> np.ndarray:
    largest = values.max(1)
    return largest + np.log(np.exp(values - largest[:, None]).sum(1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_lecun_1998_is_equation_9(smoothing: float) -> None:
    penalties, labels = operands()
    of_target = (1 - smoothing) * penalties[np.arange(5), labels] + smoothing * penalties.mean(1)
    none = np.full((5, 1), NO_CLASS_PENALTY)
    expected = of_target + log_of_sum(np.concatenate([-none, -penalties], axis=1))
    np.testing.assert_allclose(
        lecun_1998(-penalties.astype(np.float32), labels, smoothing), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_minus_the_log_probability(smoothing: float) -> None:
    penalties, labels = operands()
    log_p = -penalties - log_of_sum(-penalties)[:, None]
    expected = -(1 - smoothing) * log_p[np.arange(5), labels] - smoothing * log_p.mean(1)
    np.testing.assert_allclose(
        cross_entropy(-penalties.astype(np.float32), labels, smoothing), expected, rtol=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_squared_error_is_half_the_squared_distance_to_the_targets(smoothing: float) -> None:
    outputs, labels = operands()
    mass = np.full((5, 7), smoothing / 7)
    mass[np.arange(5), labels] += 1 - smoothing
    expected = 0.5 * ((outputs - (2 * mass - 1)) ** 2).sum(1)
    found = squared_error(outputs.astype(np.float32), labels, smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_label_is_plus_one_and_all_others_minus_one() -> None:
    outputs = np.where(np.eye(4)[[2, 0]] == 1, 1.0, -1.0).astype(np.float32)
    assert squared_error(outputs, np.array([2, 0]), 0.0).tolist() == [0.0, 0.0]
    assert squared_error(outputs, np.array([0, 0]), 0.0).tolist() == [4.0, 0.0]


def test_output_units_squash_where_asked_to() -> None:
    images = np.random.default_rng(0).normal(0, 9, (3, 4, 4, 1)).astype(np.float32)
    for name in ("mlp", "linear"):
        plain, squashed = (
            models.build(name, num_classes=5, kernel_init="he_normal", output_activation=word)
            for word in ("linear", "scaled_tanh")
        )
        variables = plain.init(jax.random.key(0), images)
        logits, outputs = (net.apply(variables, images).logits for net in (plain, squashed))
        np.testing.assert_allclose(outputs, 1.7159 * np.tanh(2 * logits / 3), rtol=1e-5)


def test_far_from_every_code_lecun_1998_pulls_to_the_right_one_only() -> None:
    """The paper: a class whose penalty is already large is not pushed further away."""
    logits, labels = -np.full((1, 3), 84.0, np.float32), np.array([1])
    pull = jax.grad(lambda logits: lecun_1998(logits, labels, 0.0).sum())(logits)
    np.testing.assert_allclose(pull, [[0.0, -1.0, 0.0]], atol=1e-6)
    shared = jax.grad(lambda logits: cross_entropy(logits, labels, 0.0).sum())(logits)
    np.testing.assert_allclose(shared, [[1 / 3, -2 / 3, 1 / 3]], rtol=1e-5)


def test_lecun_1998_stays_finite() -> None:
    for scale in (0.0, 1e4, 1e30):
        logits, labels = -np.full((1, 3), scale, np.float32), np.array([1])
        value, gradient = jax.value_and_grad(lambda x, y: lecun_1998(x, y, 0.0).sum())(
            logits, labels
        )
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_the_config_key_chooses_the_loss() -> None:
    assert set(SCHEMA["train"]["loss"].choices) == LOSSES.keys()
    assert prepare(configs.quick()).recipe.loss is cross_entropy
    assert prepare(configs.quick({"train.loss": "lecun_1998"})).recipe.loss is lecun_1998


def test_a_step_minimises_the_chosen_loss() -> None:
    network = {"model.kwargs": {"variant": "1998"}, "optim.weight_decay": 0.0}
    run = prepare(configs.make(network | {"train.loss": "lecun_1998"}))
    state = run.initial_state()
    _, metrics = make_feed(run, state)(state, 0, 5)
    # The distance of the first F6, close to 0, to every code of 84 units.
    assert metrics["data_loss"][0] == pytest.approx(84 - NO_CLASS_PENALTY, rel=1e-2)
    assert metrics["data_loss"][-1] < metrics["data_loss"][0]
