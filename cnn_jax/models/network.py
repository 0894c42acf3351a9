"""What every network here is: its common fields, its result, and the checks of its knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from cnn_jax import initializers
from cnn_jax.config.problems import InputError, hint
from cnn_jax.layers.activations import ACTIVATIONS, activation
from cnn_jax.models.layered import LEARNED_ACTIVATIONS, PUBLISHED, Layered, Published


class Prediction(NamedTuple):
    """What every network returns.

    Attributes:
        logits: (B, classes), float32 or wider.
        auxiliary: logits of auxiliary heads by name; empty where there are none.
    """

    logits: jax.Array
    auxiliary: dict[str, jax.Array]


@dataclass(frozen=True)
class SmallForm:
    """A network in small: narrow, shallow, on small images, to see in seconds that it works.

    Attributes:
        arguments: of the network; its other arguments may be any.
        image_size: height and width of the images, pixels; None: any that the network takes.
    """

    arguments: Mapping[str, Any]
    image_size: int | None = None


class Network(Layered):
    """A network: its result is a `Prediction` of `num_classes` classes.

    Every network says as class attributes, or properties, what its paper prints (`published`) and
    how it is made small (`small`).

    Attributes:
        num_classes: width of the last layer.
    """

    num_classes: int = 10

    small: ClassVar[SmallForm]
    published: ClassVar[Published] = Published()
    # A unit of maxout has several filters, which a residual sum has no place for.
    has_maxout: ClassVar[bool] = True

    def logits(self, name: str, x: jax.Array, squashing: str = "linear") -> jax.Array:
        """Returns the last layer of x, as wide as there are classes, in float32 at least.

        Args:
            name: of the layer in the paper.
            x: (B, features).
            squashing: an activation, where the output units have one: a key of `ACTIVATIONS`.
        """
        logits = self.dense(name, x, self.num_classes, activated=False)
        return activation(squashing)(logits.astype(jnp.promote_types(logits.dtype, jnp.float32)))


def check_knobs(model: Network) -> None:
    """Checks the words in the knobs of a network, before anything is traced.

    Raises:
        InputError: an activation or initialiser that does not exist, or a dropout rate at a
            place where the network has no dropout.
    """
    if model.width <= 0:
        raise InputError(f"width = {model.width}: must be above 0")
    _check_dropout(model)
    known = [PUBLISHED, *ACTIVATIONS, *LEARNED_ACTIVATIONS]
    if model.activation not in known:
        raise InputError(
            f"activation {model.activation!r} is unknown{hint(model.activation, known)}"
        )
    if model.nonlinearity == "maxout" and not model.has_maxout:
        raise InputError(f"activation 'maxout': {type(model).__name__} has no place for its pieces")
    try:
        for knob in (model.kernel_init, model.bias_init):
            for spec in knob.values() if isinstance(knob, Mapping) else [knob]:
                if spec != PUBLISHED:
                    initializers.build(spec)
    except ValueError as error:
        raise InputError(str(error)) from error


def check_layer_names(model: Network, params: Mapping[str, Any]) -> None:
    """Checks that the maps in `kernel_init` and `bias_init` name layers or parts that exist.

    Raises:
        InputError: a map names a layer that the network does not have.
    """
    layers = [path[:-1] for path in flatten_dict(params) if path[-1] == "kernel"]
    names = {"/".join(path[:end]) for path in layers for end in range(1, len(path) + 1)}
    for knob in ("kernel_init", "bias_init"):
        chosen = getattr(model, knob)
        for name in chosen if isinstance(chosen, Mapping) else ():
            if name != "*" and name not in names:
                raise InputError(
                    f"{knob} names {name!r}: no such layer{hint(name, [*sorted(names), '*'])}"
                )


def _check_dropout(model: Network) -> None:
    if isinstance(model.dropout_rate, str) and model.dropout_rate != PUBLISHED:
        raise InputError(f"dropout_rate = {model.dropout_rate!r}: a rate, a map, or 'published'")
    for place, rate in model.dropout_rates().items():
        if place not in model.published.dropout:
            raise InputError(
                f"dropout_rate names {place!r}: no dropout there"
                f"{hint(place, model.published.dropout)}"
            )
        if not 0 <= rate < 1:
            raise InputError(f"dropout_rate of {place} = {rate}: must be at least 0 and below 1")
