"""From a validated config to everything that a run needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from cnn_jax import models
from cnn_jax.config.identity import to_tree
from cnn_jax.config.plan import RunPlan, make_plan
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.data.augment import augmentation
from cnn_jax.data.colour import colour_of
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.preprocessing import Preprocessing, preprocessing_for
from cnn_jax.data.same_data import data_record
from cnn_jax.devices.kept_programs import keep_programs
from cnn_jax.devices.parallel import Devices, batch_view
from cnn_jax.models import Network
from cnn_jax.optim.averaging import AVERAGES
from cnn_jax.optim.optimizers import DECOUPLED, OPTIMIZERS
from cnn_jax.optim.parameter_rules import rules_of
from cnn_jax.optim.plateau import Plateau
from cnn_jax.optim.schedules import SCHEDULES, warmed_up
from cnn_jax.step.objective import LOSSES
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState, create_state, plateau_of
from cnn_jax.storage.run_directory import origin
from cnn_jax.storage.weights_to_begin_with import Opened, open_weights
from cnn_jax.training.data_dependent_init import initial_state
from cnn_jax.training.progress import Waiting


@dataclass(frozen=True)
class Run:
    """The parts of a run.

    Attributes:
        config: validated and frozen.
        dataset: its splits.
        plan: steps and sizes.
        devices: where it runs.
        recipe: what a step is made of.
        plateau: the rule of a schedule that follows the validation error, or None.
    """

    config: Config
    dataset: Dataset
    plan: RunPlan
    devices: Devices
    recipe: Recipe
    plateau: Plateau | None = None

    @property
    def preprocessing(self) -> Preprocessing:
        """The record that goes with the weights."""
        return self.recipe.preprocess

    def initial_state(self, report: Callable[[str], None] = lambda table: None) -> TrainState:
        """Returns the state before the first step, on every device.

        Args:
            report: is given the table of a data-dependent initialisation, where there is one.

        Raises:
            InputError: that initialisation meets a dead layer, or needs more examples than exist.
        """
        with Waiting("initialising by a batch of train"):
            return self.devices.place(
                initial_state(
                    self.config,
                    self.plan,
                    self.recipe.model,
                    self.dataset.train,
                    self.preprocessing,
                    report,
                )
            )

    def drawn_state(self) -> TrainState:
        """Returns the state with parameters as the network draws them: one to restore into."""
        with Waiting("drawing the parameters"):
            return self.devices.place(self._create_state())

    def state_shapes(self) -> TrainState:
        """Returns shapes and dtypes of the state; nothing is drawn."""
        return jax.eval_shape(self._create_state)

    def step_shapes(self, batch_size: int) -> tuple[TrainState, dict[str, jax.ShapeDtypeStruct]]:
        """Returns state and batch of a step, as shapes that know where they lie; not for `pmap`.

        Args:
            batch_size: examples, over all devices.
        """
        devices = self.devices
        shape = functools.partial(jax.ShapeDtypeStruct, sharding=devices.by_example)
        batch = {
            "image": shape((batch_size, *self.dataset.image_shape), jnp.uint8),
            "label": shape((batch_size,), jnp.int32),
        }
        state = self.state_shapes()
        placed = jax.tree.map(lambda leaf: leaf.update(sharding=devices.sharding(leaf)), state)
        return placed, batch

    def open_weights(self, path: Path) -> Opened:
        """Returns the arrays of a file of weights under the names of the network.

        Raises:
            InputError: the file cannot be read, or belongs to another network.
        """
        return open_weights(path, self.config, self.recipe.model, self.dataset.image_shape)

    def data_record(self) -> dict[str, Any]:
        """Returns the preprocessing and the shape, number and identity of the data."""
        return data_record(self.dataset, self.preprocessing, self.config.data)

    def checkpoint_record(self) -> dict[str, Any]:
        """Returns what a checkpoint says of itself: config, data, command and versions."""
        return {"config": to_tree(self.config)} | self.data_record() | origin()

    def _create_state(self) -> TrainState:
        return create_state(self.config, self.plan, self.recipe.model, self.dataset.image_shape)


def prepare(
    config: Config,
    preprocessing: Preprocessing | None = None,
    dataset: Dataset | None = None,
    devices: Devices | None = None,
) -> Run:
    """Returns the parts of the run that a config describes; nothing is trained or written.

    Args:
        config: validated.
        preprocessing: the record of existing weights; None: made from the train split.
        dataset: of the config, where it is at hand; None: read from its source.
        devices: to run on; None: those of `config.parallel`.

    Raises:
        InputError: the parts do not fit one another.
    """
    set_precision(config.precision)
    keep_programs()
    if dataset is None:
        with Waiting(f"reading {config.data.directory or config.data.source}"):
            dataset = sources.dataset_for(config)
    if devices is None:
        parallel = config.parallel
        with Waiting("looking for devices"):
            devices = Devices(parallel.mode, parallel.devices, parallel.shard_parameters)
    parts = config.train.accumulation_steps
    devices.check_batch("config.train.batch_size", config.train.batch_size, parts)
    devices.check_batch("config.evaluation.batch_size", config.evaluation.batch_size)
    if config.schedule.name == "plateau" and not len(dataset.validation):
        raise InputError(
            "config.schedule.name = 'plateau' follows the validation error, and there is no "
            "validation split; allowed: config.data.validation_folds of at least 2"
        )
    model = network_of(config, dataset.num_classes)
    with Waiting(f"measuring {config.data.directory or config.data.source}"):
        preprocess = preprocessing or preprocessing_for(
            dataset, config.data.normalisation, config.data.resize
        )
        colour = colour_of(config.colour, dataset)
    recipe = Recipe(
        model=model,
        preprocess=preprocess,
        augment=augmentation(config.data, colour, preprocess.centre),
        optimizer=functools.partial(OPTIMIZERS[config.optim.name], **config.optim.kwargs.to_dict()),
        schedule=warmed_up(
            SCHEDULES[config.schedule.name](**config.schedule.kwargs.to_dict()),
            config.schedule.warmup_form,
            config.schedule.warmup_factor,
        ),
        loss=LOSSES[config.train.loss],
        decoupled_decay=config.optim.weight_decay_form == "decoupled"
        or config.optim.name in DECOUPLED,
        rules=rules_of(config.optim),
        averaging=AVERAGES.get(config.optim.averaging),
        accumulation_steps=config.train.accumulation_steps,
        shards=len(devices.devices) if devices.mode == "jit" else 1,
        remat=config.train.remat,
        explosion_factor=config.guard.explosion_factor,
        view=batch_view(config.train, devices),
    )
    plan = make_plan(config, len(dataset.train))
    return Run(config, dataset, plan, devices, recipe, plateau_of(config))


def network_of(config: Config, num_classes: int) -> Network:
    """Returns the network that a config describes.

    Args:
        config: validated.
        num_classes: of the data.

    Raises:
        InputError: there is no such network, or its arguments do not fit one another.
    """
    return models.build(
        config.model.name,
        num_classes=num_classes,
        dtype=config.precision.compute,
        **config.model.kwargs.to_dict(),
    )


def set_precision(precision: Any) -> None:
    """Tells jax of `config.precision`, before any array is made."""
    jax.config.update("jax_enable_x64", precision.compute == "float64")
    jax.config.update("jax_default_matmul_precision", precision.matmul)
