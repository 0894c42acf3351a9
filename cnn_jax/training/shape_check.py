"""Whether a network fits its images, found out on shapes alone, before anything is written."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.layers.batch_norm import BatchNorm
from cnn_jax.step.state import create_state
from cnn_jax.step.steps import make_eval_step
from cnn_jax.training.run import Run

LENGTHS: Final = ("size", "shorter_side", "side", "smallest_side", "largest_side")  # of crops
# Sides of square images, for the hint: those of the data sets and of the published networks.
SIDES: Final = (8, 16, 24, 28, 32, 48, 64, 96, 112, 128, 160, 192, 224, 227, 256, 299, 384, 512)


def check_shapes(run: Run) -> None:
    """Draws the state and passes a batch forward, in training and evaluation, on shapes alone.

    Args:
        run: its parts.

    Raises:
        InputError: a name in the config means no layer, the network does not fit the images, or
            batch normalisation would take statistics over one value.
    """
    shape = run.dataset.image_shape
    normalised: dict[str, int] = {}
    try:
        with nn.intercept_methods(functools.partial(_note_batch_norm, normalised)):
            _forward(run, shape)
    except InputError:
        raise
    except Exception as error:  # whatever a layer makes of a shape that it cannot have
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(
            f"config.model.name = {run.config.model.name!r} does not fit images of "
            f"{'x'.join(map(str, shape))}: {reason:.300}; {_needed(run, shape)}"
        ) from error
    _check_statistics(run, normalised)


def _note_batch_norm(
    normalised: dict[str, int],
    call: Callable[..., Any],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    context: nn.module.InterceptorContext,
) -> Any:
    """Keeps the positions of the map that each batch normalisation sees, by its name."""
    if isinstance(context.module, BatchNorm) and context.method_name == "__call__":
        normalised["/".join(context.module.path)] = math.prod(arguments[0].shape[1:-1])
    return call(*arguments, **keywords)


def _check_statistics(run: Run, normalised: Mapping[str, int]) -> None:
    """Refuses statistics over one value: what is normalised is 0 then, and no kernel before moves.

    Args:
        run: its parts.
        normalised: layer -> positions of its map.

    Raises:
        InputError: a layer would take them.
    """
    train, count = run.config.train, len(run.devices.devices)
    part = train.batch_size // train.accumulation_steps
    examples = run.recipe.view.statistics_group or part
    single = [name for name, positions in normalised.items() if examples * positions == 1]
    if not single:
        return
    sums, mends = [f"config.train.batch_size = {train.batch_size}"], []
    if train.accumulation_steps > 1:
        sums.append(f"in {train.accumulation_steps} parts (config.train.accumulation_steps)")
    if train.batch_norm_scope == "per_device" and part > 1:
        sums.append(f"over {count} devices (config.train.batch_norm_scope = 'per_device')")
    if train.batch_norm_scope == "virtual" and part > 1:
        sums.append(f"in virtual batches of {examples} (config.train.batch_norm_virtual_batch)")
    if train.batch_size == 1:
        mends.append("config.train.batch_size = 2")
    elif part == 1:
        divide = (n for n in range(train.batch_size // 2, 0, -1) if train.batch_size % n == 0)
        mends.append(f"config.train.accumulation_steps = {next(divide)}")
    if train.batch_norm_scope == "virtual" or part > 1:
        mends.append("config.train.batch_norm_scope = 'global'")
    raise InputError(
        f"{' '.join(sums)}: 1 example, times a map of 1 position, is 1 value in the statistics of "
        f"{single[0]}" + (f" and {len(single) - 1} more layers" if len(single) > 1 else "") + ". A "
        "value less its own mean is 0, so that nothing before would be trained; allowed: at least "
        f"2 values, as by {' and '.join(mends)}"
    )


def _forward(run: Run, shape: tuple[int, int, int]) -> None:
    model = run.recipe.model
    state = jax.eval_shape(lambda: create_state(run.config, run.plan, model, shape))
    number = jax.ShapeDtypeStruct((2,), jnp.int32)
    images = jax.ShapeDtypeStruct((2, *shape), jnp.uint8)
    preprocess = run.preprocessing
    if shape != run.dataset.image_shape:  # another size, of which there is no mean image
        preprocess = replace(preprocess, mean_image="", height=shape[0], width=shape[1])

    def training(params: Any, batch_stats: Any, images: jax.Array) -> Any:
        variables = {"params": params, "batch_stats": batch_stats}
        return model.apply(
            variables,
            preprocess(images, model.dtype),
            train=True,
            rngs={"dropout": jax.random.key(0)},
            mutable=["batch_stats"],
        )

    jax.eval_shape(training, state.params, state.batch_stats, images)
    evaluation = make_eval_step(model, preprocess)
    labelled = {"image": images, "label": number, "weight": number}
    jax.eval_shape(evaluation, state.params, state.batch_stats, labelled)


def resized_by(config: Config, side: int) -> str:
    """Returns the overrides by which the images of a config become as large.

    Args:
        config: validated.
        side: height and width that they are to have, pixels.
    """
    if "size" in config.data.kwargs:  # a source that makes its images in any size
        return f"--config.data.kwargs.size={side}"
    words = []
    for section in ("train_crop", "test_crop"):
        crop = config[section]
        lengths = ("size", "shorter_side") if crop.name == "whole" else tuple(crop.kwargs)
        if crop.name == "whole":
            words.append(f"--config.{section}.name=shorter_side")
        words += [
            f"--config.{section}.kwargs.{name}={side}"
            for name in lengths
            if name in LENGTHS and crop.kwargs.get(name, 0) < side
        ]
    return " ".join(words)


def _needed(run: Run, shape: tuple[int, int, int]) -> str:
    """Returns the smallest of some sizes of images that the network fits, in words."""
    for side in SIDES:
        try:
            _forward(run, (side, side, shape[2]))
        except Exception:  # too small for it
            continue
        return (
            f"of the usual sizes {side}x{side} is the smallest that it fits; images are made as "
            f"large by {resized_by(run.config, side)}"
        )
    return f"nor those of any size up to {SIDES[-1]}: see config.model.kwargs"
