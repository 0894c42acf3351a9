"""Statistics of activations and gradients, against numpy; and runs that they leave alone."""

import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.data.order import Order
from cnn_jax.storage.metrics_log import MetricsLog, read_metrics
from cnn_jax.training.layer_statistics import STATISTICS, LayerStatistics
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import Run, prepare
from cnn_jax.training.session import train
from tests import configs

PLAIN: dict[str, Any] = {
    "model.kwargs": {"layers": (12, 9), "activation": "relu", "dropout_rate": 0.0},
    "data.shift_pixels": 0.0,
    "data.rotation_degrees": 0.0,
    "data.flip": False,
    "schedule.warmup_epochs": 0.0,
    "train.label_smoothing": 0.0,
    "precision.compute": "float64",
}


@pytest.fixture(autouse=True)
def as_before() -> Any:
    """Leaves the process in the precision that it had."""
    x64 = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", x64)


def by_hand(run: Run, params: Any, ids: np.ndarray) -> dict[str, dict[str, float]]:
    """Forward and backward through a perceptron of two hidden layers, in numpy."""
    split, names = run.dataset.train, ("fc1", "fc2", "logits")
    images = np.asarray(run.preprocessing(split.images[ids], np.float64))  # type: ignore[union-attr, arg-type]
    labels = split.labels[ids]  # type: ignore[union-attr]
    x, inputs, sums = images.reshape(len(ids), -1), [], []
    for name in names:
        inputs.append(x)
        sums.append(x @ np.asarray(params[name]["kernel"]) + np.asarray(params[name]["bias"]))
        x = np.maximum(sums[-1], 0)
    exp = np.exp(sums[-1] - sums[-1].max(axis=1, keepdims=True))
    g = exp / exp.sum(axis=1, keepdims=True) - np.eye(sums[-1].shape[1])[labels]
    decay, rate, found = run.config.optim.weight_decay, run.config.optim.learning_rate, {}
    for name, before, total in zip(names[::-1], inputs[::-1], sums[::-1], strict=True):
        kernel = np.asarray(params[name]["kernel"])
        grad = before.T @ g / len(ids) + decay * kernel
        found[name] = {
            "activation_mean": total.mean(),
            "activation_variance": total.var(),
            "gradient_mean": g.mean(),
            "gradient_variance": g.var(),
            "weight_variance": kernel.var(),
            "weight_gradient_variance": grad.var(),
            "update_ratio": np.linalg.norm(rate * grad) / np.linalg.norm(kernel),
        }
        if name != "logits":
            found[name]["dead"] = np.mean((total <= 0).all(axis=0))
        g = (g @ kernel.T) * (before > 0)
    return found


def test_every_statistic_is_that_of_numpy() -> None:
    run = prepare(configs.quick(PLAIN))
    state = run.initial_state()
    kernel = state.params["fc2"]["kernel"].at[:, 3].set(0.0)
    params = state.params | {
        "fc2": {"kernel": kernel, "bias": state.params["fc2"]["bias"].at[3].set(-1.0)}
    }
    signals = LayerStatistics(run)
    found = signals.measure(state.replace(params=params), 2)
    expected = by_hand(
        run,
        params,
        Order(run.config.seed.data, run.plan.train_examples, run.plan.batch_size).batch(2),
    )
    assert list(found) == ["fc1", "fc2", "logits"], "in the order of the network"
    assert found["fc2"]["dead"] >= 1 / 9
    for name, values in expected.items():
        assert values.keys() == found[name].keys()
        for statistic, value in values.items():
            np.testing.assert_allclose(
                found[name][statistic], value, rtol=1e-9, atol=1e-15, err_msg=f"{name} {statistic}"
            )
    assert set(STATISTICS) == set().union(*expected.values())


def test_gradients_too_small_for_float32_squares_are_measured() -> None:
    kwargs = PLAIN["model.kwargs"] | {"kernel_init": "gaussian(std=1e-11)"}
    narrow = {"model.kwargs": kwargs, "precision.compute": "float32"}
    run = prepare(configs.quick(PLAIN | narrow))
    found = LayerStatistics(run).measure(run.initial_state(), 0)
    assert 0 < found["fc1"]["gradient_variance"] < 1e-40


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["jit", pytest.param("pmap", marks=pytest.mark.slow)])
def test_a_run_that_is_measured_gives_the_same_numbers(tmp_path: Path, mode: str) -> None:
    short = {"train.epochs": 1.6, "parallel.mode": mode}
    logs = []
    for every in (0, 4):
        config = configs.quick(short | {"log.signal_statistics_every_steps": every})
        with Preemption() as preemption:
            train(config, tmp_path / str(every), preemption, time.time())
        logs.append((tmp_path / str(every) / "metrics.jsonl").read_text())
    assert logs[0] == logs[1]
    assert not (tmp_path / "0" / "signals.jsonl").exists()
    lines = read_metrics(tmp_path / "4" / "signals.jsonl")
    assert [line["step"] for line in lines] == [0, 4, 8]
    assert list(lines[0]["layers"]) == ["fc1", "logits"]


def test_a_resumed_log_has_every_measurement_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    for step in (0, 4, 8):
        log.write_signals(step, step / 10, {"fc1": {"dead": 0.25}})
    log.close()
    log = MetricsLog(tmp_path, 4, tensorboard=True)
    assert log.has_signals(4) and not log.has_signals(8)
    log.write_signals(8, 0.8, {"fc1": {"dead": 0.5}})
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "signals.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 4, 8]
    assert lines[-1]["layers"] == {"fc1": {"dead": 0.5}}
