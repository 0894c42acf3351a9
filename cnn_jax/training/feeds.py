"""Two ways to bring batches to the one train step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnn_jax.data.order import Order
from cnn_jax.training.gradients import laid_out
from cnn_jax.training.parallel import HostMetrics
from cnn_jax.training.run import Run
from cnn_jax.training.state import TrainState
from cnn_jax.training.steps import METRICS, make_train_step

Advance = Callable[[TrainState, int, int], tuple[TrainState, HostMetrics]]


def make_feed(run: Run, like: TrainState) -> Advance:
    """Returns the function (state, first step, steps) -> (state, metrics and `ids` of these steps).

    `config.train.dispatch = chunk`: the data lives on the devices and the steps are one compiled
    loop. `step`: every step is dispatched with a batch from the host.

    Args:
        run: its parts.
        like: a placed state.
    """
    plan, devices = run.plan, run.devices
    parts, count = run.recipe.accumulation_steps, len(devices.devices)
    order = Order(run.config.seed.data, plan.train_examples, plan.batch_size)
    step, split = make_train_step(run.recipe), run.dataset.train
    if run.config.train.dispatch == "chunk":
        longest = min(run.config.train.chunk_steps, plan.total_steps)
        chunk = devices.compile_chunk(step, like, split.images, split.labels, longest)

        def advance_by_chunk(
            state: TrainState, first: int, steps: int
        ) -> tuple[TrainState, HostMetrics]:
            ids = order.batches(first, steps)
            state, metrics = chunk(state, laid_out(ids, parts, count))
            return state, metrics | {"ids": ids}

        return advance_by_chunk

    compiled = devices.compile_train_step(step, like)
    mine = devices.host_slice(plan.batch_size)

    def advance(state: TrainState, first: int, steps: int) -> tuple[TrainState, HostMetrics]:
        made, ids = [], []
        for number in range(first, first + steps):
            ids.append(order.batch(number))
            examples = split.take(laid_out(ids[-1], parts, count)[mine])
            state, metrics = compiled(state, {"image": examples.images, "label": examples.labels})
            made.append(metrics)
        values = {name: np.array([float(one[name]) for one in made]) for name in METRICS}
        return state, values | {"ids": np.stack(ids)}

    return advance
