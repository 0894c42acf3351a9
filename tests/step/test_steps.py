import math
from typing import Any

import jax
import numpy as np
import optax
import pytest

from cnn_jax.optim.optimizers import OPTIMIZERS
from cnn_jax.step.objective import _traced_dropout
from cnn_jax.step.steps import updated
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import Run, prepare
from tests import configs

DIGITS = {
    "data.source": "digits",
    "data.kwargs": {"size": 32},
    "data.shift_pixels": 0.0,
    "data.rotation_degrees": 0.0,
    "data.flip": False,
    "train.label_smoothing": 0.0,
    "schedule.name": "constant",
    "schedule.kwargs": {},
}
LINEAR = DIGITS | {"model.name": "linear", "model.kwargs": {}, "optim.weight_decay": 0.0}


def steps(run: Run, count: int, chunk: int = 100) -> tuple[Any, dict[str, np.ndarray]]:
    state, made, metrics = run.initial_state(), 0, []
    feed = make_feed(run, state)
    while made < count:
        state, some = feed(state, made, min(chunk, count - made))
        metrics.append(some)
        made += len(some["loss"])
    return state, {name: np.concatenate([one[name] for one in metrics]) for name in metrics[0]}


def leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_first_loss_of_the_linear_classifier_is_ln_10() -> None:
    run = prepare(configs.make(LINEAR | {"train.batch_size": 100}))
    _, metrics = steps(run, 1)
    assert metrics["data_loss"][0] == pytest.approx(math.log(10), rel=0.01)


def test_overfits_20_examples() -> None:
    """The slides' check: accuracy 1.00 and cost below 0.003 on 20 examples, no regularisation."""
    twenty = {"data.train_examples": 20, "train.batch_size": 20, "train.epochs": 600.0}
    run = prepare(configs.make(LINEAR | twenty | {"optim.learning_rate": 0.02}))
    _, metrics = steps(run, 600)
    assert metrics["error"][-1] == 0.0
    assert metrics["loss"][-1] < 0.003


def test_the_l2_term_is_half_lambda_times_the_squared_kernels() -> None:
    run = prepare(configs.quick({"optim.weight_decay": 0.1}))
    kernels = [v["kernel"] for v in run.initial_state().params.values() if "kernel" in v]
    _, metrics = steps(run, 1)
    expected = 0.05 * sum(float((kernel**2).sum()) for kernel in kernels)
    assert metrics["loss"][0] - metrics["data_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_decay_forms_agree_for_one_plain_step_and_leave_biases() -> None:
    states = []
    for form in ("l2", "decoupled"):
        keys = LINEAR | {"optim.name": "sgd", "optim.weight_decay": 0.1}
        run = prepare(configs.make(keys | {"optim.weight_decay_form": form}))
        states.append(steps(run, 1)[0])
    for one, other in zip(*map(leaves, (s.params for s in states)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8)


def test_adamw_is_that_of_optax() -> None:
    """Its decay is decoupled whatever the form says; biases do not decay."""
    keys = {"optim.name": "adamw", "optim.kwargs": {}, "optim.weight_decay": 0.1}
    run = prepare(configs.quick(keys))
    state, rng = run.initial_state(), np.random.default_rng(0)
    expected = state.params
    kernels = jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", expected)
    optimizer = optax.adamw(0.01, b1=run.config.optim.momentum, weight_decay=0.1, mask=kernels)
    theirs = optimizer.init(expected)
    for _ in range(3):
        grads = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(p.dtype), state.params)
        params, opt_state = updated(run.recipe, state, grads, jax.numpy.float32(0.01))
        state = state.replace(params=params, opt_state=opt_state)
        updates, theirs = optimizer.update(grads, theirs, expected)
        expected = optax.apply_updates(expected, updates)
    for one, other in zip(leaves(state.params), leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    _, metrics = steps(run, 1)
    assert metrics["loss"][0] == metrics["data_loss"][0], "the loss has no term of the decay"


def test_two_learning_rates_one_compilation() -> None:
    run = prepare(configs.quick())
    feed, compiled = make_feed(run, run.initial_state()), []
    losses = {}
    for rate in (0.02, 0.002, 0.02):
        state = run.initial_state()
        state = state.replace(hyper={**state.hyper, "learning_rate": jax.numpy.asarray(rate)})
        with jax.log_compiles(False):
            before = compile_count()
            state, metrics = feed(state, 0, 5)
            compiled.append(compile_count() - before)
        losses.setdefault(rate, []).append(metrics["loss"])
    assert compiled[0] >= 1 and compiled[1:] == [0, 0]
    assert not np.array_equal(losses[0.02][0], losses[0.002][0])
    np.testing.assert_array_equal(losses[0.02][0], losses[0.02][1])


COMPILED: list[float] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: COMPILED.append(seconds) if "backend_compile" in event else None
)


def compile_count() -> int:
    return len(COMPILED)


def test_chunk_lengths_do_not_change_the_numbers() -> None:
    run = prepare(configs.quick())
    results = [steps(run, 12, chunk) for chunk in (1, 5, 12)]
    for state, metrics in results[1:]:
        for one, other in zip(leaves(state), leaves(results[0][0]), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(metrics["loss"], results[0][1]["loss"])


def test_both_feeds_see_the_same_batches() -> None:
    losses = []
    for dispatch in ("chunk", "step"):
        _, metrics = steps(prepare(configs.quick({"train.dispatch": dispatch})), 5)
        losses.append(metrics["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_lowers_the_loss(name: str) -> None:
    rate = {
        "adadelta": 1.0,
        "adam": 1e-3,
        "adamw": 1e-3,
        "rmsprop": 1e-4,
        "diagonal_levenberg_marquardt": 1e-3,
    }.get(name, 0.01)
    kwargs = {"batches": 5} if name == "diagonal_levenberg_marquardt" else {}
    keys = LINEAR | {"optim.name": name, "optim.learning_rate": rate, "optim.kwargs": kwargs}
    _, metrics = steps(prepare(configs.make(keys)), 60)
    assert metrics["loss"][-10:].mean() < 0.7 * metrics["loss"][0]


@pytest.mark.parametrize("compute", ["bfloat16", "float64"])
def test_precisions(compute: str) -> None:
    keys = LINEAR | {"precision.compute": compute}
    try:
        state, metrics = steps(prepare(configs.make(keys)), 30)
        wide = np.float64 if compute == "float64" else np.float32
        assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(wide)}
        assert metrics["loss"][-5:].mean() < metrics["loss"][0]
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize("scope", ["per_device", "virtual"])
def test_batch_norm_scopes_differ_from_global(scope: str) -> None:
    keys = {"train.batch_norm_virtual_batch": 4, "data.flip": False}
    base = steps(prepare(configs.quick(keys)), 2)[1]
    other = steps(prepare(configs.quick(keys | {"train.batch_norm_scope": scope})), 2)[1]
    same = np.allclose(base["loss"], other["loss"], rtol=1e-6)
    assert same == (scope == "per_device"), "one device is the whole batch"


def test_eight_devices_see_the_batch_of_one() -> None:
    losses = []
    for devices in (1, 8):
        _, metrics = steps(prepare(configs.quick({"parallel.devices": devices})), 5)
        losses.append(metrics["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_gradient_norm_is_that_of_the_gradient() -> None:
    run = prepare(configs.make(LINEAR | {"optim.name": "sgd", "optim.learning_rate": 1.0}))
    before = run.initial_state()
    start = [leaf.copy() for leaf in leaves(before.params)]
    state, metrics = steps(run, 1)
    change = [one - other for one, other in zip(start, leaves(state.params), strict=True)]
    rate = metrics["learning_rate"][0]
    assert float(optax.tree.norm(change)) / rate == pytest.approx(
        metrics["gradient_norm"][0], rel=1e-4
    )


def test_a_dropout_that_is_set_to_0_does_not_drop_beside_one_that_does() -> None:
    """AlexNet drops after fc6 and fc7 as published: 0 for one of them is no published rate."""
    kwargs = {"width": 0.05, "dropout_rate": {"fc6": 0.0}}
    data = {"data.kwargs.size": 67, "data.kwargs.channels": 3}
    run = prepare(configs.make({"model.name": "alexnet", "model.kwargs": kwargs} | data))
    state = jax.eval_shape(run.drawn_state)
    assert list(state.hyper["dropout"]) == ["fc7"]
    rates = run.recipe.model.clone(**_traced_dropout(run.recipe.model, state)).dropout_rates()
    assert rates == {"fc6": 0.0, "fc7": state.hyper["dropout"]["fc7"]}
