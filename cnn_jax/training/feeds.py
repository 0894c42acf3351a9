"""Two ways to bring batches to the one train step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnn_jax.data.order import Order
from cnn_jax.training.parallel import HostMetrics
from cnn_jax.training.run import Run
from cnn_jax.training.state import TrainState
from cnn_jax.training.steps import METRICS, make_train_step

Advance = Callable[[TrainState, int, int], tuple[TrainState, HostMetrics]]


def make_feed(run: Run, stop_early: Callable[[], bool]) -> Advance:
    """Returns the function (state, first step, steps) -> (state, metrics of the steps made).

    `config.train.dispatch = chunk`: the data lives on the devices and the steps are one compiled
    loop. `step`: every step is dispatched with a batch from the host; `stop_early` is asked between
    two steps, and fewer may be made than were asked for, but at least one.
    """
    order = Order(run.config.seed.data, run.plan.train_examples, run.plan.batch_size)
    step, split = make_train_step(run.recipe), run.dataset.train
    if run.config.train.dispatch == "chunk":
        longest = min(run.config.train.chunk_steps, run.plan.total_steps)
        chunk = run.devices.compile_chunk(step, split.images, split.labels, longest)
        return lambda state, first, steps: chunk(state, order.batches(first, min(steps, longest)))

    compiled = run.devices.compile_train_step(step)

    def advance(state: TrainState, first: int, steps: int) -> tuple[TrainState, HostMetrics]:
        made = []
        for number in range(first, first + steps):
            examples = split.take(order.batch(number))
            state, metrics = compiled(state, {"image": examples.images, "label": examples.labels})
            made.append(metrics)
            if stop_early():
                break
        return state, {name: np.array([float(one[name]) for one in made]) for name in METRICS}

    return advance
