"""What the checks look at: a config with its data, its first weights, and a sample of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from cnn_jax.config.changes import changed
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.order import Order
from cnn_jax.data.records import Batch, Request
from cnn_jax.devices.parallel import compiler_options
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models.layer_table import layer_table
from cnn_jax.optim.schedules import Clock
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState
from cnn_jax.storage.warm_start import warm_start
from cnn_jax.training.run import Run, prepare
from cnn_jax.training.shape_check import check_shapes

MOMENTS: Final = 512  # of the run at which the rate is looked at
EXAMPLES, FEWEST = 64, 8  # in the sample; the latter where a network is too large for the host
# Multiply-accumulates that a check may take, on a CPU and elsewhere: a minute or two.
MOST_MACS: Final = {"cpu": 3e11}
ELSEWHERE: Final = 3e14
PASSES: Final = 3  # of a network, in a step: forward and twice as much backward


class Subject:
    """A run as its config describes it, on the first device, and a sample of its first batch.

    Args:
        config: validated.
        examples: in the sample; train may have fewer. None: 64, or as many as the device has time
            for.
        output: directory of what is written.

    Attributes:
        config: on one device of one process.
        output: directory of what is written.
        run: its parts.
        state: before the first step.
        recipe: of the step, the sample as one part.
        ids: of the examples of the sample, in train: the first of the data order.
        batch: the sample, cropped as in training.
        step_macs: multiply-accumulates of a step, for one example.
        rate: the highest learning rate of the run.

    Raises:
        InputError: the config does not fit the data, or the data cannot be read.
    """

    def __init__(self, config: Config, examples: int | None, output: Path):
        self.config, self.output = on_one_device(config), output
        run = self.run = prepare(self.config)
        check_shapes(run)
        start = warm_start(self.config.init_from, output, run.state_shapes, run.open_weights)
        state = run.initial_state()
        self.state = bare(state if start is None else start.applied(state))
        self.recipe = replace(
            run.recipe, accumulation_steps=1, shards=1, remat="none", view=BatchView()
        )
        table = layer_table(run.recipe.model, run.dataset.image_shape)
        self.step_macs = float(PASSES * sum(row.macs for row in table))
        wanted = examples or self.within_budget(self.step_macs, FEWEST, EXAMPLES)
        self.examples = min(wanted, len(run.dataset.train))
        self.ids = Order(self.config.seed.data, len(run.dataset.train), self.examples).batch(0)
        self.batch = read(run.dataset.train, self.ids, train=True)
        self.rate = highest_rate(run, self.state)

    @property
    def begins_elsewhere(self) -> bool:
        """Whether the first weights are those of another run."""
        return bool(self.config.init_from.workdir or self.config.init_from.weights)

    @property
    def warms_up(self) -> bool:
        """Whether the first steps of the run are smaller than its highest rate makes them."""
        return bool(self.config.schedule.warmup_epochs > 0)

    def within_budget(self, macs: float, fewest: int, most: int) -> int:
        """Returns how many things the device has time for in one check.

        Args:
            macs: multiply-accumulates of one.
            fewest: of them, whatever it takes.
            most: of them.
        """
        platform = self.run.devices.devices[0].platform
        fit = MOST_MACS.get(platform, ELSEWHERE) / max(macs, 1.0)
        return int(min(most, max(fewest, fit)))

    def compiled(self, function: Callable[..., Any]) -> Any:
        """Returns a function compiled for the first device."""
        platform = self.run.devices.devices[0].platform
        return jax.jit(function, compiler_options=compiler_options(platform))


def on_one_device(config: Config) -> Config:
    """Returns a config of the same numbers, on one device of one process.

    Diagonal Levenberg-Marquardt measures second derivatives over one batch, and then moves.
    """
    alone: dict[str, Any] = {
        "parallel.devices": 1,
        "parallel.mode": "jit",
        "parallel.shard_parameters": False,
        "train.batch_norm_scope": "global",
        "distributed.coordinator": None,
        "distributed.processes": None,
        "distributed.process_id": None,
        "distributed.detect": False,
    }
    if config.optim.name == "diagonal_levenberg_marquardt":
        alone["optim.kwargs.batches"] = 1
    return validate(changed(ConfigDict(config.to_dict()), alone))


def read(split: AnySplit, ids: np.ndarray, train: bool) -> Batch:
    """Returns examples of a split, cropped as in training or as in testing."""
    return next(iter(split.batches([Request(ids)], train=train)))


def as_examples(batch: Batch) -> dict[str, np.ndarray]:
    """Returns a batch as a step takes it."""
    return {"image": batch.images, "label": batch.labels}


def bare(tree: Any) -> Any:
    """Returns a tree of arrays tied to no device: one program takes them and its own results."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), tree)


def at_rate(state: TrainState, rate: float, **hyper: Any) -> TrainState:
    """Returns a state with another rate, and other hyper-parameters."""
    values = {"learning_rate": rate, **hyper}
    made = {name: jax.tree.map(lambda v: jnp.asarray(v, float), v) for name, v in values.items()}
    return state.replace(hyper=state.hyper | made)


def without_chance(recipe: Recipe) -> Recipe:
    """Returns a recipe without augmentation and dropout, of a constant rate."""
    model = recipe.model.clone(dropout_rate=0.0)
    return replace(recipe, model=model, augment=None, schedule=lambda clock: jnp.ones(()))


def highest_rate(run: Run, state: TrainState) -> float:
    """Returns the highest rate that the schedule comes to, at moments evenly spread over it."""
    steps = jnp.linspace(0.0, run.plan.total_steps - 1.0, MOMENTS)
    hyper = state.hyper
    lengths = (hyper["warmup_steps"], hyper["total_steps"], hyper["steps_per_epoch"])
    shapes = jax.vmap(lambda step: run.recipe.schedule(Clock(step, *lengths)))(steps)
    return float(hyper["learning_rate"] * jnp.max(shapes))
