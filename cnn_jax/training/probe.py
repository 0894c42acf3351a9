"""A look at the step that a run is about to make: its own batch, beside the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_jax.data.order import Order
from cnn_jax.data.records import Request
from cnn_jax.models.layer_table import layer_table
from cnn_jax.step.objective import Examples
from cnn_jax.step.state import TrainState
from cnn_jax.training.run import Run


class Probe:
    """Measures a state on the batch of its next step; nothing goes back into the run.

    Args:
        run: its parts.
        step: the pure function (state, batch) -> what is measured, over the whole batch.

    Attributes:
        layers: names of all layers, in the order of the network.
    """

    def __init__(self, run: Run, step: Callable[[TrainState, Examples], Any]):
        self._run = run
        self._order = Order(run.config.seed.data, run.plan.train_examples, run.plan.batch_size)
        rows = layer_table(run.recipe.model, run.dataset.image_shape)
        self.layers = list(dict.fromkeys(row.name for row in rows))
        self._step = run.devices.compile_inference(step)

    def at(self, state: TrainState, step: int) -> tuple[np.ndarray, Any]:
        """Returns the ids of the batch, and what is measured, on the devices.

        Args:
            state: on the devices, as `step` steps have left it.
            step: which one is about to be made.
        """
        ids = self._order.batch(step)
        images, labels, _ = next(self._run.dataset.train.batches([Request(ids, step)], train=True))
        if self._run.devices.mode == "pmap":
            state = self._run.devices.place(state)
        return ids, self._step(state, {"image": images, "label": labels})
