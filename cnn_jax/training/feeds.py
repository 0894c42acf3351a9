"""Ways to bring batches to the one train step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.order import Order
from cnn_jax.data.records import Batch, Request
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.step.objective import laid_out
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import METRICS, Metrics, make_train_step
from cnn_jax.training.run import Run

Advance = Callable[[TrainState, int, int], tuple[TrainState, HostMetrics]]
STEPS_IN_FLIGHT = 2  # the host does not run further ahead of the devices: batches take memory


def make_feed(run: Run, like: TrainState) -> Advance:
    """Returns the function (state, first step, steps) -> (state, metrics and `ids` of these steps).

    `config.train.dispatch = chunk`: the data lives on the devices and the steps are one compiled
    loop. `step`: every step is dispatched with a batch from the host; so it is, whatever the key
    says, where the split is read from files.

    Args:
        run: its parts.
        like: a placed state.
    """
    plan, devices = run.plan, run.devices
    parts, count = run.recipe.accumulation_steps, len(devices.devices)
    order = Order(run.config.seed.data, plan.train_examples, plan.batch_size)
    step, split = make_train_step(run.recipe), run.dataset.train
    if run.config.train.dispatch == "chunk" and split.resident:
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
    batches = Batches(run, order)

    def advance(state: TrainState, first: int, steps: int) -> tuple[TrainState, HostMetrics]:
        made: list[Metrics] = []
        ids: list[np.ndarray] = []
        for number in range(first, first + steps):
            try:
                batch = batches.at(number)
            except InputError:
                if not made:
                    raise
                break  # the steps made so far count; the next call meets the error again
            ids.append(order.batch(number))
            state, metrics = compiled(state, {"image": batch.images, "label": batch.labels})
            made.append(metrics)
            if len(made) > STEPS_IN_FLIGHT:
                jax.block_until_ready(made[-STEPS_IN_FLIGHT])
        values = {name: np.array([float(one[name]) for one in made]) for name in METRICS}
        return state, values | {"ids": np.stack(ids)}

    return advance


class Batches:
    """The part of the batches that this process brings, from any step on.

    Args:
        run: its parts.
        order: of the train split.
    """

    def __init__(self, run: Run, order: Order):
        self._split, self._order = run.dataset.train, order
        parts, devices = run.recipe.accumulation_steps, len(run.devices.devices)
        positions = laid_out(np.arange(run.plan.batch_size), parts, devices)
        self._positions = positions[run.devices.host_slice(run.plan.batch_size)]
        self._end = run.plan.total_steps
        self._next = -1
        self._stream: Iterator[Batch] = iter(())

    def at(self, step: int) -> Batch:
        """Returns the batch of a step; those of the next steps are being made already."""
        if step != self._next:
            self._stream = self._split.batches(self._requests(step), train=True)
        self._next = -1  # should the batch fail, a stream begins anew
        batch = next(self._stream)
        self._next = step + 1
        return batch

    def _requests(self, first: int) -> Iterator[Request]:
        for step in range(first, self._end):
            yield Request(self._order.batch(step)[self._positions], step, self._positions)
