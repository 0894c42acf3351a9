"""The same numbers by jit and pmap, on one device and eight, whole and sharded."""

import math
import re
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.step.state import bytes_on_device
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.feeds import make_feed
from cnn_jax.training.run import prepare
from tests import configs
from tests.slow_but import slow_but

EIGHT = {"train.batch_size": 16, "evaluation.batch_size": 16}
WAYS = {
    "jit on 1": {"parallel.mode": "jit", "parallel.devices": 1},
    "jit on 8": {"parallel.mode": "jit", "parallel.devices": 8},
    "pmap on 1": {"parallel.mode": "pmap", "parallel.devices": 1},
    "pmap on 8": {"parallel.mode": "pmap", "parallel.devices": 8},
    "jit on 8, dispatched": {"parallel.devices": 8, "train.dispatch": "step"},
    "pmap on 8, dispatched": {
        "parallel.mode": "pmap",
        "parallel.devices": 8,
        "train.dispatch": "step",
    },
}


def losses(steps: int, overrides: dict[str, Any]) -> tuple[np.ndarray, Any]:
    """Returns the losses of the first steps and the state after them."""
    try:
        run = prepare(configs.quick(EIGHT | overrides))
        state = run.initial_state()
        state, metrics = make_feed(run, state)(state, 0, steps)
        return metrics["loss"], jax.tree.map(np.asarray, state)
    finally:
        jax.config.update("jax_enable_x64", False)


LENET = {
    "model.name": "lenet5",
    "model.kwargs": {"width": 0.34, "norm": "batch", "dropout_rate": 0.3},
    "data.kwargs.size": 32,
}


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.max(np.abs(one - other) / np.abs(one)))


@pytest.mark.parametrize("way", slow_but(["jit on 8", "pmap on 8, dispatched"], list(WAYS)[1:]))
def test_float64(way: str) -> None:
    """Dropout, augmentation and global batch norm are on; 20 steps agree to 1e-9."""
    keys = {"precision.compute": "float64"}
    difference = largest_difference(reference(20, **keys), losses(20, keys | WAYS[way])[0])
    print(f"{way}: largest relative difference {difference:.1e} over 20 steps in float64")
    assert difference < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("way", ["jit on 8", "pmap on 8"])
def test_float64_of_a_convolutional_network(way: str) -> None:
    keys = {"precision.compute": "float64"} | LENET
    one, other = (losses(20, keys | WAYS[name])[0] for name in ("jit on 1", way))
    print(f"LeNet-5, {way}: largest relative difference {largest_difference(one, other):.1e}")
    assert largest_difference(one, other) < 1e-9


@pytest.mark.parametrize("way", slow_but(["pmap on 8"], list(WAYS)[1:]))
def test_float32(way: str) -> None:
    difference = largest_difference(reference(5), losses(5, WAYS[way])[0])
    print(f"{way}: largest relative difference {difference:.1e} over 5 steps in float32")
    assert difference < 1e-5


KNOWN: dict[Any, np.ndarray] = {}


def reference(steps: int, **keys: Any) -> np.ndarray:
    key = (steps, *keys.items())
    if key not in KNOWN:
        KNOWN[key] = losses(steps, keys | WAYS["jit on 1"])[0]
    return KNOWN[key]


@pytest.mark.parametrize(
    ("mode", "devices"),
    slow_but([("jit", 8)], [(mode, devices) for mode in ("jit", "pmap") for devices in (2, 8)]),
)
def test_a_virtual_batch_is_the_same_on_any_number_of_devices(mode: str, devices: int) -> None:
    scope = {
        "precision.compute": "float64",
        "train.batch_norm_scope": "virtual",
        "train.batch_norm_virtual_batch": 4,
        "train.batch_size": 32,
        "parallel.mode": mode,
    }
    one = losses(10, scope | {"parallel.devices": 1})[0]
    other = losses(10, scope | {"parallel.devices": devices})[0]
    assert largest_difference(one, other) < 1e-9


@pytest.mark.parametrize("mode", ["jit", "pmap"])
def test_per_device_is_a_virtual_batch_of_a_device(mode: str) -> None:
    keys = {
        "precision.compute": "float64",
        "train.batch_size": 32,
        "parallel.devices": 8,
        "parallel.mode": mode,
    }
    device = losses(10, keys | {"train.batch_norm_scope": "per_device"})[0]
    scope = {"train.batch_norm_scope": "virtual", "train.batch_norm_virtual_batch": 4}
    assert largest_difference(device, losses(10, keys | scope)[0]) < 1e-9


NORMED: dict[str, Any] = {"layers": (12, 12, 12), "norm": "batch"}


def all_reduce_operands(scope: dict[str, Any]) -> int:
    """Counts the operands of all all-reduces in a compiled step on eight devices."""
    run = prepare(configs.quick(EIGHT | {"model.kwargs": NORMED} | scope | {"parallel.devices": 8}))
    state = run.initial_state()
    batch = {
        "image": jax.device_put(run.dataset.train.images[:16], run.devices.by_example),
        "label": jax.device_put(run.dataset.train.labels[:16], run.devices.by_example),
    }
    text = jax.jit(make_train_step(run.recipe)).lower(state, batch).compile().as_text()
    calls = re.findall(r" all-reduce(?:-start)?\(([^)]*)\)", text)
    return sum(operands.count("%") for operands in calls)


def test_virtual_batches_add_no_all_reduce() -> None:
    none = all_reduce_operands({"model.kwargs": NORMED | {"norm": "none"}})
    scope = {"train.batch_norm_scope": "virtual", "train.batch_norm_virtual_batch": 2}
    virtual, whole = all_reduce_operands(scope), all_reduce_operands({})
    layers = len(NORMED["layers"])
    # Scale, shift, mean and variance of each layer are averaged once, with the gradients.
    print(f"operands: without norm {none}, virtual {virtual}, global {whole}")
    assert virtual <= none + 4 * layers
    assert whole >= none + 6 * layers


def test_sharded_parameters_are_the_same_and_smaller() -> None:
    wide = {
        "precision.compute": "float64",
        "model.name": "mlp",
        "model.kwargs": {"layers": (64, 64), "norm": "batch", "dropout_rate": 0.3},
        "parallel.devices": 8,
    }
    whole, _ = losses(10, wide)
    spread, _ = losses(10, wide | {"parallel.shard_parameters": True})
    assert largest_difference(whole, spread) < 1e-9
    wide["precision.compute"] = "float32"
    run = prepare(configs.make(EIGHT | wide | {"parallel.shard_parameters": True}))
    state = run.initial_state()
    kernel = state.params["fc1"]["kernel"]
    assert kernel.shape == (1024, 64)
    held = {shard.data.nbytes for shard in kernel.addressable_shards}
    print(f"fc1: {kernel.nbytes} bytes, on each device {held}")
    assert held == {kernel.nbytes // 8}
    momentum = [leaf for leaf in jax.tree.leaves(state.opt_state) if leaf.shape == kernel.shape]
    assert {leaf.sharding for leaf in momentum} == {kernel.sharding}
    here, in_all = bytes_on_device(state)
    kernels = [leaf.nbytes for leaf in jax.tree.leaves(state) if leaf.size >= 1 << 14]
    assert here == in_all - sum(kernels) * 7 // 8
    small = state.params["logits"]["kernel"]
    assert {shard.data.nbytes for shard in small.addressable_shards} == {small.nbytes}


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="train.batch_size = 12 does not divide over 8 devices"):
        prepare(configs.make({"train.batch_size": 12, "parallel.devices": 8}))
    with pytest.raises(InputError, match="parallel.devices = 9: there are 8"):
        prepare(configs.make({"parallel.devices": 9}))
    scope = {"train.batch_norm_scope": "virtual", "train.batch_norm_virtual_batch": 4}
    with pytest.raises(InputError, match="4 virtual batches do not divide over 8 devices"):
        prepare(configs.make(EIGHT | scope | {"parallel.devices": 8}))
    with pytest.raises(InputError, match="needs config.parallel.mode = 'jit'"):
        configs.make({"parallel.mode": "pmap", "parallel.shard_parameters": True})
    assert math.isfinite(reference(5)[0])
