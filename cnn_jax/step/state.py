"""Everything a run is, between two steps: one tree of arrays.

Whatever changes from step to step, or from one member of a population to another, stands in here;
the compiled step depends on shapes alone.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.arguments import argument_of
from cnn_jax.config.plan import RunPlan
from cnn_jax.config.schema import Config
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models import Network, check_layer_names
from cnn_jax.optim.optimizers import OPTIMIZERS
from cnn_jax.optim.parameter_rules import rules_of
from cnn_jax.optim.plateau import Plateau

FORMAT_VERSION = 1  # of the tree below; a checkpoint of another version is refused
ArrayTree = Any


class TrainState(flax.struct.PyTreeNode):
    """The state of a run.

    Attributes:
        step: int32, steps made.
        params: parameters of the network, by the paper's layer names.
        batch_stats: running statistics of batch norm; empty without it.
        opt_state: state of the optimizer.
        averaged_params: running averages of `params` and `batch_stats`, under these names; empty
            where none are kept.
        hyper: traced hyper-parameters: `learning_rate`, `momentum`, `weight_decay`,
            `label_smoothing`, `warmup_steps`, `total_steps`, `steps_per_epoch` (floats) and
            `dropout` (layer name -> rate); and where they are used `clip_norm`,
            `filter_rms_limit`, `max_norm`, `averaging_decay`, `averaging_start` (steps) and
            `auxiliary` (head -> weight, `*` for the rest).
        plateau: `best` (lowest validation error seen), `waited` (evaluations since), `scale`
            (multiplier of the learning rate); under that schedule more, see `optim.plateau`.
        guard: `first_loss`, the data loss of step 0; NaN before.
        seeds: `data` and `dropout`, uint32.
    """

    step: jax.Array
    params: ArrayTree
    batch_stats: ArrayTree
    opt_state: ArrayTree
    averaged_params: ArrayTree
    hyper: dict[str, Any]
    plateau: dict[str, jax.Array]
    guard: dict[str, jax.Array]
    seeds: dict[str, jax.Array]


def draw_variables(
    config: Config, model: Network, image_shape: tuple[int, int, int]
) -> dict[str, ArrayTree]:
    """Returns the parameters and batch statistics that the network's own initialisers draw."""
    key = jax.random.key(config.seed.init)
    return init_variables(model, key, (1, *image_shape), train=False)


def create_state(
    config: Config,
    plan: RunPlan,
    model: Network,
    image_shape: tuple[int, int, int],
    variables: dict[str, ArrayTree] | None = None,
) -> TrainState:
    """Returns the state before the first step.

    Args:
        config: validated.
        plan: of the run.
        model: the network.
        image_shape: height, width and channels.
        variables: the first `params` and `batch_stats`; None: as the network draws them.

    Raises:
        InputError: a map or a pattern names a layer that the network does not have.
    """
    if variables is None:
        variables = draw_variables(config, model, image_shape)
    check_layer_names(model, variables["params"])
    rules_of(config.optim).check(variables["params"])
    hyper = hyper_parameters(config, plan, model)
    rule = plateau_of(config)
    optimizer = OPTIMIZERS[config.optim.name](0.0, 0.0, **config.optim.kwargs.to_dict())
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables.get("batch_stats", {}),
        opt_state=optimizer.init(variables["params"]),
        averaged_params=_first_average(config, variables),
        hyper=hyper,
        plateau={
            "best": jnp.asarray(jnp.inf, float),
            "waited": jnp.zeros((), jnp.int32),
            "scale": jnp.ones((), float),
        }
        | (rule.first() if rule else {}),
        guard={"first_loss": jnp.asarray(jnp.nan, float)},
        seeds={
            "data": jnp.asarray(np.uint32(config.seed.data)),
            "dropout": jnp.asarray(np.uint32(config.seed.dropout)),
        },
    )


def hyper_parameters(config: Config, plan: RunPlan, model: Network) -> dict[str, Any]:
    """Returns the traced hyper-parameters of a run.

    What is not used is left out, as a layer whose dropout rate is 0: it then costs nothing in the
    compiled step.
    """
    optim = config.optim
    per_batch = optim.weight_decay_form == "l2_per_batch"
    values = {
        "learning_rate": optim.learning_rate,
        "momentum": optim.momentum,
        "weight_decay": optim.weight_decay / (plan.batch_size if per_batch else 1),
        "label_smoothing": config.train.label_smoothing,
        "warmup_steps": plan.warmup_steps,
        "total_steps": plan.total_steps,
        "steps_per_epoch": plan.steps_per_epoch,
        "dropout": {name: rate for name, rate in model.dropout_rates().items() if rate > 0},
    }
    limits = ("clip_norm", "filter_rms_limit", "max_norm")
    values |= {name: optim[name] for name in limits if optim[name] > 0}
    if optim.averaging != "none":
        values["averaging_decay"] = optim.averaging_decay
        values["averaging_start"] = plan.steps(optim.averaging_start_epochs)
    if heads := _auxiliary_weights(config.train):
        values["auxiliary"] = heads
    return jax.tree.map(lambda value: jnp.asarray(value, float), values)


def plateau_of(config: Config) -> Plateau | None:
    """Returns the rule of the schedule; None where it does not follow the validation error."""
    if config.schedule.name != "plateau":
        return None
    names = [field.name for field in fields(Plateau)]
    return Plateau(**{name: argument_of(config, "schedule", name) for name in names})


def _auxiliary_weights(train: Any) -> dict[str, float]:
    weights = train.auxiliary_weights.to_dict()
    if train.auxiliary_weight > 0:
        weights.setdefault("*", train.auxiliary_weight)
    return weights


def _first_average(config: Config, variables: ArrayTree) -> ArrayTree:
    if config.optim.averaging == "none":
        return {}
    # Copied: a step gives its old arrays up, and may not give the same one up twice.
    kept = {name: variables.get(name, {}) for name in ("params", "batch_stats")}
    return jax.tree.map(jnp.copy, kept)


def parameter_count(params: ArrayTree) -> int:
    """Returns the number of parameters in a tree."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def bytes_on_device(tree: ArrayTree) -> tuple[int, int]:
    """Returns the bytes of a placed tree on one device, and of the tree as a whole."""
    leaves = jax.tree.leaves(tree)
    here = sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves
    )
    return here, sum(leaf.nbytes for leaf in leaves)
