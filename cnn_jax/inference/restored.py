"""A trained network out of a checkpoint, on any number of devices, with its own preprocessing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.devices.kept_programs import keep_programs
from cnn_jax.devices.parallel import Devices
from cnn_jax.evaluation.exact import CountBatch
from cnn_jax.models import Network
from cnn_jax.step.steps import make_eval_step, make_probability_step
from cnn_jax.storage.checkpoints import LATEST, Checkpoints
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import network_of, set_precision

ProbabilityFunction = Callable[[np.ndarray], jax.Array]


@dataclass(frozen=True)
class Restored:
    """A network with trained weights.

    Attributes:
        step: of the checkpoint.
        config: that it was trained with.
        model: the network.
        params: its parameters.
        batch_stats: its running statistics.
        preprocessing: what its inputs go through.
        averaged: running averages of `params` and `batch_stats`; empty where none were kept.
        completed: keys that the saved config lacked, and got at their defaults.
        data: what the checkpoint says of its data, as `data_record`; empty for weights of a file.
    """

    step: int
    config: Config
    model: Network
    params: Any
    batch_stats: Any
    preprocessing: Preprocessing
    averaged: Mapping[str, Any] = field(default_factory=dict)
    completed: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Returns the probabilities of uint8 images (B, H, W, C), float (B, classes)."""
        return np.asarray(self._one_view(images))

    @functools.cached_property
    def _one_view(self) -> ProbabilityFunction:
        return self.probability_function()

    def probability_function(
        self, mirrored: bool = False, dense: bool = False, averaged: bool = False
    ) -> ProbabilityFunction:
        """Returns the compiled function uint8 images (B, H, W, C) -> probabilities (B, classes).

        Args:
            mirrored: whether an image and its mirror are averaged.
            dense: whether larger images are seen at every position; see `make_probability_step`.
            averaged: whether the averaged parameters stand in for the last ones.
        """
        step = make_probability_step(self.model, self.preprocessing, mirrored, dense)
        compiled = Devices(count=1).compile_inference(step)
        params, batch_stats = self._weights(averaged)
        return lambda images: compiled(params, batch_stats, images)

    def count_batch(self, averaged: bool = False) -> CountBatch:
        """Returns the compiled function batch -> `Counts` that `evaluate` needs.

        Args:
            averaged: whether the averaged parameters stand in for the last ones.
        """
        step = make_eval_step(self.model, self.preprocessing)
        compiled = Devices(count=1).compile_inference(step)
        params, batch_stats = self._weights(averaged)
        return lambda batch: compiled(params, batch_stats, batch)

    def _weights(self, averaged: bool) -> tuple[Any, Any]:
        if averaged and not self.averaged:
            raise InputError("no averaged parameters: config.optim.averaging was none")
        if averaged:
            return self.averaged["params"], self.averaged["batch_stats"]
        return self.params, self.batch_stats


def restore(workdir: str | Path, which: str = LATEST) -> Restored:
    """Returns the network of a run directory.

    Args:
        workdir: the run directory.
        which: `latest`, `best` (on validation) or a step.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    reading = Waiting(f"reading the checkpoint in {workdir}")
    with reading, closing(Checkpoints(Path(workdir), read_only=True)) as checkpoints:
        return checkpoints.reading(which, lambda step: _read(checkpoints, step))


def _read(checkpoints: Checkpoints, step: int) -> Restored:
    saved, completed = complete(checkpoints.read_record(step)["config"])
    config = validate(saved)
    keep_programs()
    set_precision(config.precision)  # before the arrays: float64 would be read as float32
    arrays, record = checkpoints.read_arrays(step)
    preprocessing = Preprocessing.from_tree(record["preprocessing"])
    model = network_of(config, len(preprocessing.class_names))
    averaged = dict(arrays.get("averaged_params") or {})
    if averaged:
        averaged.setdefault("batch_stats", {})  # an empty tree is not stored
    params, batch_stats, averaged = jax.tree.map(
        jax.numpy.asarray, (arrays["params"], arrays["batch_stats"], averaged)
    )
    weights = (params, batch_stats, preprocessing, averaged)
    return Restored(step, config, model, *weights, tuple(completed), record)
