"""The loss before the first step: ln C where a network does not prefer any class yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.facts import Fact

TOLERANCE = 0.10  # of ln C
BATCH_SIZE = 8


@dataclass(frozen=True)
class InitialLoss:
    """What a network says of standardised random images under its published initialisation.

    Attributes:
        reference_id: of the published network.
        classes: number of classes, C.
        loss: mean over examples and classes of logsumexp(logits) - logit, nats.
        logits_std: standard deviation of the logits.
    """

    reference_id: str
    classes: int
    loss: float
    logits_std: float

    @property
    def ratio(self) -> float:
        """The loss over ln C."""
        return self.loss / math.log(self.classes)

    @property
    def usual(self) -> bool:
        """Whether the loss is within 10 % of ln C."""
        return abs(self.ratio - 1) <= TOLERANCE


def initial_loss(fact: Fact, seed: int = 0, batch_size: int = BATCH_SIZE) -> InitialLoss:
    """Measures a published network at its published size, in training mode without dropout.

    Args:
        fact: the published network.
        seed: of the parameters and the images.
        batch_size: images; each is drawn from N(0, 1), pixel by pixel.
    """
    model = models.build(
        fact.model,
        num_classes=fact.num_classes,
        **(fact.builder_arguments() | {"dropout_rate": 0.0}),
    )
    of_parameters, of_images = jax.random.split(jax.random.key(seed))
    shape = (batch_size, *fact.input_size)
    variables = init_variables(model, of_parameters, shape, train=False)
    images = jax.random.normal(of_images, shape)
    prediction, _ = model.apply(variables, images, train=True, mutable=["batch_stats"])
    logits = prediction.logits
    loss = jnp.mean(jax.nn.logsumexp(logits, axis=1) - jnp.mean(logits, axis=1))
    return InitialLoss(fact.reference_id, fact.num_classes, float(loss), float(jnp.std(logits)))
