"""What a recipe adds to a step: accumulation, averages, multipliers, clipping, norms of weights."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.models import Prediction
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import Run, prepare
from tests import configs
from tests.slow_but import slow_but

FLOAT64 = {"precision.compute": "float64", "train.batch_size": 16, "evaluation.batch_size": 16}
STILL = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.flip": False}
PLAIN = {"model.kwargs": {"layers": (12,), "norm": "none", "dropout_rate": 0.3}}
WAYS = [("jit", 1), ("jit", 8), ("pmap", 8)]
DISPATCHED = [(*way, dispatch) for way in WAYS for dispatch in ("chunk", "step")]
AVERAGED = [(*way, kind) for way in WAYS for kind in ("ema", "polyak")]


def train(steps: int, keys: dict[str, Any]) -> tuple[np.ndarray, Any]:
    """Returns the losses of the first steps and the state after them, as numpy arrays."""
    try:
        run = prepare(configs.quick(keys))
        state = run.initial_state()
        state, metrics = make_feed(run, state)(state, 0, steps)
        return metrics["loss"], jax.tree.map(np.asarray, state)
    finally:
        jax.config.update("jax_enable_x64", False)


def assert_close(one: Any, other: Any, rtol: float) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("mode", "devices", "dispatch"),
    slow_but([("jit", 8, "chunk"), ("pmap", 8, "step")], DISPATCHED),
)
def test_accumulation_equals_the_large_batch(mode: str, devices: int, dispatch: str) -> None:
    """Dropout and augmentation are on; 2 x 8 examples make the 10 steps of 16."""
    whole_loss, whole = train(10, FLOAT64 | PLAIN)
    way = {"parallel.mode": mode, "parallel.devices": devices, "train.dispatch": dispatch}
    loss, state = train(10, FLOAT64 | PLAIN | way | {"train.accumulation_steps": 2})
    np.testing.assert_allclose(loss, whole_loss, rtol=1e-12)
    assert_close(state.params, whole.params, 1e-12)


@pytest.mark.parametrize(("mode", "devices"), slow_but([("jit", 8)], WAYS))
def test_accumulation_under_batch_norm_is_a_virtual_batch(mode: str, devices: int) -> None:
    virtual = {"train.batch_norm_scope": "virtual", "train.batch_norm_virtual_batch": 8}
    _, whole = train(5, FLOAT64 | virtual)
    way = {"parallel.mode": mode, "parallel.devices": devices, "train.accumulation_steps": 2}
    _, state = train(5, FLOAT64 | way)
    assert_close((state.params, state.batch_stats), (whole.params, whole.batch_stats), 1e-11)


def test_parts_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InputError, match="accumulation_steps = 3 does not divide"):
        configs.quick({"train.accumulation_steps": 3})
    with pytest.raises(InputError, match="divide over 8 devices in 2 parts"):
        prepare(configs.quick({"train.accumulation_steps": 2, "parallel.devices": 8}))


@pytest.mark.parametrize(
    ("mode", "devices", "kind"), slow_but([("pmap", 8, "ema"), ("jit", 8, "polyak")], AVERAGED)
)
def test_averages_of_a_run(mode: str, devices: int, kind: str) -> None:
    """Against numpy over the parameters after every step."""
    keys = FLOAT64 | {"parallel.mode": mode, "parallel.devices": devices, "optim.averaging": kind}
    try:
        run = prepare(configs.quick(keys | {"optim.averaging_decay": 0.3}))
        state = run.initial_state()
        feed, t = make_feed(run, state), 0
        kept = lambda state: {"params": state.params, "batch_stats": state.batch_stats}
        expected = jax.tree.map(np.asarray, kept(state))
        for t in range(6):
            state, _ = feed(state, t, 1)
            share = 1 / (t + 1) if kind == "polyak" else 1 - min(0.3, (1 + t) / (10 + t))
            now = jax.tree.map(np.asarray, kept(state))
            moved = lambda a, w, share=share: a + share * (w - a)
            expected = jax.tree.map(moved, expected, now)
        assert_close(state.averaged_params, expected, 1e-12)
    finally:
        jax.config.update("jax_enable_x64", False)


def change(keys: dict[str, Any]) -> tuple[Any, Any]:
    """Returns the parameters before and after one plain step."""
    plain = {"optim.name": "sgd", "optim.learning_rate": 0.1, "schedule.warmup_epochs": 0.0}
    run = prepare(configs.quick(STILL | PLAIN | plain | keys))
    before = jax.tree.map(np.asarray, run.initial_state().params)
    state = run.initial_state()
    state, _ = make_feed(run, state)(state, 0, 1)
    return before, jax.tree.map(np.asarray, state.params)


def test_multipliers_and_freezing() -> None:
    before, usual = change({})
    keys = {"optim.rate_multipliers": {"*/bias": 2.0, "logits": 3.0}, "optim.frozen": "fc1/kernel"}
    _, after = change(keys)
    step = lambda params, layer, kind: params[layer][kind] - before[layer][kind]
    for layer, kind, factor in (("logits", "kernel", 3), ("logits", "bias", 6), ("fc1", "bias", 2)):
        np.testing.assert_allclose(
            step(after, layer, kind), factor * step(usual, layer, kind), rtol=1e-3, atol=1e-7
        )
    assert np.abs(step(usual, "fc1", "kernel")).max() > 0
    np.testing.assert_array_equal(after["fc1"]["kernel"], before["fc1"]["kernel"])


@pytest.mark.parametrize("form", ["l2", "decoupled"])
def test_frozen_parameters_keep_every_bit(form: str) -> None:
    keys = {"optim.frozen": "fc1*", "optim.weight_decay_form": form, "optim.weight_decay": 0.1}
    run = prepare(configs.quick(keys | {"optim.name": "adam", "optim.kwargs": {}}))
    before = jax.tree.map(np.asarray, run.initial_state().params)
    state = run.initial_state()
    state, _ = make_feed(run, state)(state, 0, 5)
    for layer in ("fc1", "fc1_bn"):
        for name, leaf in state.params[layer].items():
            np.testing.assert_array_equal(leaf, before[layer][name])
    assert np.abs(state.params["logits"]["kernel"] - before["logits"]["kernel"]).max() > 0


def test_decay_by_role() -> None:
    """Biases begin at zero: they decay from the second step on, so lambda acts on a chosen one."""
    keys = {"model.kwargs.bias_init": "gaussian(std=1)", "optim.weight_decay": 0.5}
    _, bare = change(keys | {"optim.weight_decay": 0.0})
    before, kernels = change(keys)
    _, all_decay = change(keys | {"optim.decay_bias": 0.5})
    np.testing.assert_array_equal(kernels["fc1"]["bias"], bare["fc1"]["bias"])
    expected = bare["fc1"]["bias"] - 0.1 * 0.5 * 0.5 * before["fc1"]["bias"]
    np.testing.assert_allclose(all_decay["fc1"]["bias"], expected, rtol=1e-4, atol=1e-6)


def test_decay_divided_by_the_batch_size() -> None:
    one = prepare(configs.quick({"optim.weight_decay": 0.8})).initial_state()
    keys = {"optim.weight_decay": 0.8, "optim.weight_decay_form": "l2_per_batch"}
    other = prepare(configs.quick(keys)).initial_state()
    assert float(one.hyper["weight_decay"]) == pytest.approx(8 * other.hyper["weight_decay"])


def test_clipping_bounds_the_step() -> None:
    norms = []
    for limit in (0.0, 0.25, 1e6):
        before, after = change({"optim.clip_norm": limit, "optim.weight_decay": 0.0})
        moved = jax.tree.map(np.subtract, after, before)
        norms.append(np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(moved))) / 0.1)
    assert norms[0] > 0.3 and norms[2] == pytest.approx(norms[0], rel=1e-5)
    assert norms[1] == pytest.approx(0.25, rel=1e-4)


def test_no_filter_above_its_rms() -> None:
    keys = {"optim.filter_rms_limit": 0.1, "model.name": "lenet5", "data.kwargs.size": 32}
    run = prepare(
        configs.quick(keys | {"model.kwargs": {"width": 0.34, "kernel_init": "gaussian(std=0.2)"}})
    )
    state = run.initial_state()
    first = np.asarray(state.params["C1"]["kernel"])
    state, _ = make_feed(run, state)(state, 0, 1)
    rms = lambda kernel: np.sqrt((np.asarray(kernel) ** 2).mean((0, 1, 2)))
    assert (rms(first) > 0.11).any(), "the limit acts"
    found = rms(state.params["C1"]["kernel"])
    assert found.max() == pytest.approx(0.1, rel=1e-5)
    assert np.abs(np.asarray(state.params["F6"]["kernel"])).max() > 0.3, "dense layers are left"


@pytest.mark.parametrize(("variant", "frozen"), [("modern", "F6"), ("1998", "")])
def test_no_incoming_weights_above_the_maximum(variant: str, frozen: str) -> None:
    """One step with the limit is one without it, and then the scaling of each unit on its own."""
    kwargs = {"width": 0.34, "variant": variant, "kernel_init": "gaussian(std=0.2)"}
    keys = {"model.name": "lenet5", "model.kwargs": kwargs, "data.kwargs.size": 32}
    keys |= {"optim.frozen": frozen}
    _, free = change(keys)
    _, limited = change(keys | {"optim.max_norm": 0.9})
    acted = 0
    for layer, arrays in free.items():
        kernel = np.asarray(arrays["kernel"], np.float64)
        units = kernel.reshape(-1, kernel.shape[-1])
        expected = units.copy()
        limits = layer != frozen and kernel.ndim in (2, 4)
        for unit in range(units.shape[1]) if limits else ():
            norm = math.sqrt(sum(weight**2 for weight in units[:, unit]))
            expected[:, unit] *= min(1.0, 0.9 / norm)
            acted += norm > 0.9
        found = np.asarray(limited[layer]["kernel"]).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
        if "bias" in arrays:
            np.testing.assert_array_equal(limited[layer]["bias"], arrays["bias"])
    assert acted > 10


class TwoHeads(Network):
    """Logits, and one auxiliary head in training."""

    published = Published()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        x = self.flatten(images)
        heads = {}
        if train or self.is_initializing():
            heads = {"aux1": self.logits("aux1", x), "aux2": self.logits("aux2", x)}
        return Prediction(self.logits("logits", x), heads)


def heads(keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Run, float, Any]:
    monkeypatch.setattr(
        "cnn_jax.models.build", lambda name, num_classes, dtype, **_: TwoHeads(num_classes)
    )
    run = prepare(configs.quick(STILL | {"optim.weight_decay": 0.0} | keys))
    batch = {"image": run.dataset.train.images[:8], "label": run.dataset.train.labels[:8]}
    before = run.initial_state()
    state, metrics = jax.jit(make_train_step(run.recipe))(before, batch)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), before.params, state.params)
    return run, float(metrics["loss"] - metrics["data_loss"]), moved


def test_auxiliary_heads_by_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    _, extra, moved = heads({}, monkeypatch)
    assert extra == 0 and moved["aux1"]["kernel"] == 0 and moved["logits"]["kernel"] > 0
    run, both, moved = heads({"train.auxiliary_weight": 0.3}, monkeypatch)
    assert set(run.initial_state().hyper["auxiliary"]) == {"*"}
    assert both > 0.5 and min(m["kernel"] for m in moved.values()) > 0
    one = heads({"train.auxiliary_weights": {"aux1": 0.3}}, monkeypatch)
    assert one[2]["aux2"]["kernel"] == 0
    other = heads({"train.auxiliary_weights": {"aux2": 0.3}}, monkeypatch)
    assert one[1] + other[1] == pytest.approx(both, rel=1e-4)
    with pytest.raises(InputError, match="names 'aux3': no such head; did you mean"):
        heads({"train.auxiliary_weights": {"aux3": 0.3}}, monkeypatch)
