"""The first weights where they depend on the data: `config.data_dependent_init`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cnn_jax.config.aligned import aligned
from cnn_jax.config.plan import RunPlan
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.order import Order
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.records import Request
from cnn_jax.initializers.data_dependent import DATA_DEPENDENT
from cnn_jax.initializers.layer_by_layer import Initialised, LayerRecord, initialise_layers
from cnn_jax.models import Network
from cnn_jax.step.state import TrainState, create_state, draw_variables

HEAD = ("layer", "variance as drawn", "variance", "divisions", "")


def initial_state(
    config: Config,
    plan: RunPlan,
    model: Network,
    train: AnySplit,
    preprocess: Preprocessing,
    report: Callable[[str], None] = lambda table: None,
) -> TrainState:
    """Returns the state of a run before its first step, not placed yet.

    Args:
        config: validated.
        plan: of the run.
        model: the network.
        train: the train split.
        preprocess: uint8 images to inputs.
        report: is given the table of a data-dependent initialisation, where there is one.

    Raises:
        InputError: as `create_state` and `initialised`.
    """
    section, shape = config.data_dependent_init, train.image_shape
    if section.name == "none":
        return create_state(config, plan, model, shape)
    drawn = draw_variables(config, model, shape)
    made = initialised(config, model, train, preprocess, drawn)
    report(table_of(section, made))
    return create_state(config, plan, model, shape, drawn | {"params": made.params})


def initialised(
    config: Config, model: Network, train: AnySplit, preprocess: Preprocessing, variables: Any
) -> Initialised:
    """Returns the first parameters of a run, set layer by layer by a batch of training images.

    The network runs as in training, with batch norm by the statistics of this batch, but without
    dropout. The batch are the first examples of the data order, cropped as in training; nothing
    else is changed at random. It is a function of `seed.init` and `seed.data` alone, so that every
    process finds the same.

    Args:
        config: validated.
        model: the network.
        train: the train split.
        preprocess: uint8 images to inputs.
        variables: `params` and `batch_stats` as the network draws them.

    Raises:
        InputError: as `check_section`, or a layer is dead.
    """
    check_section(config, train)
    section = config.data_dependent_init
    ids = Order(config.seed.data, len(train), section.examples).batch(0)
    images = jnp.asarray(next(train.batches([Request(ids)], train=True)).images)
    try:
        return initialise_layers(
            model.clone(dropout_rate=0.0),
            variables,
            preprocess(images, model.dtype),
            jax.random.key(config.seed.init),
            DATA_DEPENDENT[section.name](**section.kwargs.to_dict()),
            train=True,
        )
    except ValueError as error:
        raise InputError(f"config.data_dependent_init.name = {section.name!r}: {error}") from error


def check_section(config: Config, train: AnySplit) -> None:
    """Checks `config.data_dependent_init` against the data, before anything is made.

    Raises:
        InputError: there are too few examples, or an argument makes no sense.
    """
    section = config.data_dependent_init
    if section.name != "none" and section.examples > len(train):
        raise InputError(
            f"config.data_dependent_init.examples = {section.examples}: train has {len(train)}"
        )
    try:
        DATA_DEPENDENT[section.name](**section.kwargs.to_dict())
    except ValueError as error:
        raise InputError(f"config.data_dependent_init.kwargs: {error}") from error


def table_of(section: Any, made: Initialised) -> str:
    """Returns one line for each layer: variance of its outputs as drawn and now, and divisions.

    Args:
        section: `config.data_dependent_init`.
        made: what it made.
    """
    rows = [HEAD, *(_row(layer) for layer in made.layers)]
    off = [layer.name for layer in made.layers if not layer.within]
    arguments = ", ".join(f"{name}={value}" for name, value in section.kwargs.items())
    title = f"{section.name}({arguments}) on {section.examples} examples"
    end = f"not within tolerance: {', '.join(off)}" if off else "all layers are within tolerance"
    return "\n".join([title, *aligned(rows), end])


def _row(layer: LayerRecord) -> tuple[str, ...]:
    mark = "" if layer.within else "not within tolerance"
    return layer.name, f"{layer.before:.4g}", f"{layer.after:.4f}", str(layer.iterations), mark
