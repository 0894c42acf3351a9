"""What a train step is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import optax

from cnn_jax.data.augment import Augment
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models import Network
from cnn_jax.optim.averaging import Weight
from cnn_jax.optim.parameter_rules import ParameterRules
from cnn_jax.optim.schedules import Shape

# (logits (B, C), labels (B,), label smoothing) -> loss of each example, (B,)
Loss = Callable[[jax.Array, jax.Array, jax.Array | float], jax.Array]


@dataclass(frozen=True)
class Recipe:
    """What a step is made of.

    Attributes:
        model: the network.
        preprocess: uint8 image to input.
        augment: random transformation of the images, or None.
        optimizer: (rate, momentum) -> optax transformation.
        schedule: shape that multiplies the base rate.
        loss: of each example, in training; evaluation reports the cross-entropy.
        decoupled_decay: whether weight decay stands beside the gradient step, not in the loss.
        rules: decay, multiplier and freezing of each parameter.
        averaging: kind of the running average of the parameters; None: none is kept.
        accumulation_steps: into how many parts a batch is divided, one after another.
        shards: over how many devices a batch lies, where the step is written for the whole of it.
        remat: what the backward pass computes again, see `rematerialisation`.
        explosion_factor: of the guard; 0: no guard against explosion.
        view: the part of the global batch in view.
    """

    model: Network
    preprocess: Preprocessing
    augment: Augment | None
    optimizer: Callable[[jax.Array, jax.Array], optax.GradientTransformation]
    schedule: Shape
    loss: Loss
    decoupled_decay: bool = False
    rules: ParameterRules = ParameterRules()
    averaging: Weight | None = None
    accumulation_steps: int = 1
    shards: int = 1
    remat: str = "none"
    explosion_factor: float = 0.0
    view: BatchView = BatchView()
