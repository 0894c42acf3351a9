"""Whether a network fits its images, found out on shapes alone, before anything is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.step.state import create_state
from cnn_jax.step.steps import make_eval_step
from cnn_jax.training.run import Run

# Sides of square images, for the hint: those of the data sets and of the published networks.
SIDES: Final = (8, 16, 24, 28, 32, 48, 64, 96, 112, 128, 160, 192, 224, 227, 256, 299, 384, 512)


def check_shapes(run: Run) -> None:
    """Draws the state and passes a batch forward, in training and evaluation, on shapes alone.

    Args:
        run: its parts.

    Raises:
        InputError: a name in the config means no layer, or the network does not fit the images.
    """
    shape = run.dataset.image_shape
    try:
        _forward(run, shape)
    except InputError:
        raise
    except Exception as error:  # whatever a layer makes of a shape that it cannot have
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(
            f"config.model.name = {run.config.model.name!r} does not fit images of "
            f"{'x'.join(map(str, shape))}: {reason:.300}; {_needed(run, shape)}"
        ) from error


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


def _needed(run: Run, shape: tuple[int, int, int]) -> str:
    """Returns the smallest of some sizes of images that the network fits, in words."""
    for side in SIDES:
        try:
            _forward(run, (side, side, shape[2]))
        except Exception:  # too small for it
            continue
        return (
            f"of the usual sizes {side}x{side} is the smallest that it fits: take larger images, "
            "as by config.train_crop and config.test_crop, or a network for small ones"
        )
    return f"nor those of any size up to {SIDES[-1]}: see config.model.kwargs"
