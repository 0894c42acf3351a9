"""What every network here shares: its fields, its ablation knobs, and how it makes its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax import initializers
from cnn_jax.config.problems import InputError, hint
from cnn_jax.initializers.fixed import Initializer
from cnn_jax.layers.activations import activation
from cnn_jax.layers.batch_norm import BatchNorm
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.layers.convolution import Conv
from cnn_jax.layers.dense import Dense
from cnn_jax.layers.dropout import Dropout
from cnn_jax.layers.taps import tap

PUBLISHED: Final = "published"
Rates = Mapping[str, float | jax.Array]


class Prediction(NamedTuple):
    """What every network returns.

    Attributes:
        logits: (B, classes), float32 or wider.
        auxiliary: logits of auxiliary heads by name; empty where there are none.
    """

    logits: jax.Array
    auxiliary: dict[str, jax.Array]


@dataclass(frozen=True)
class Published:
    """What the paper prints for each layer: the meaning of the word `published`.

    Attributes:
        activation: name of the nonlinearity.
        kernel_init: layer name -> initialiser, `*` for the rest.
        bias_init: the same for biases.
        norm: `none` or `batch`.
        dropout: layer name -> rate, every place where it can stand; 0 where the paper has none.
    """

    activation: str = "relu"
    kernel_init: Mapping[str, str] = field(default_factory=lambda: {"*": "he_normal"})
    bias_init: Mapping[str, str] = field(default_factory=lambda: {"*": "zeros"})
    norm: str = "none"
    dropout: Mapping[str, float] = field(default_factory=dict)


class Network(nn.Module):
    """A network with the common fields and knobs.

    Attributes:
        num_classes: width of the last layer.
        width: multiplier of every hidden width.
        dtype: of the computation; float32, bfloat16 or float64.
        activation: name of the nonlinearity.
        norm: `none` or `batch`: batch normalisation before every nonlinearity.
        kernel_init: an initialiser for all layers, or a map layer name -> initialiser, `*` for the
            rest.
        bias_init: the same for biases.
        dropout_rate: one rate for every place that `Published.dropout` names, or a map by name.
        view: which part of the global batch the layers see; set by the step builder.
    """

    num_classes: int = 10
    width: float = 1.0
    dtype: Any = jnp.float32
    activation: str = PUBLISHED
    norm: Literal["published", "none", "batch"] = PUBLISHED
    kernel_init: str | Mapping[str, str] = PUBLISHED
    bias_init: str | Mapping[str, str] = PUBLISHED
    dropout_rate: str | float | Rates = PUBLISHED
    view: BatchView = BatchView()

    published: ClassVar[Published] = Published()

    def hidden(self, features: int) -> int:
        """Returns a hidden width times `width`, at least 1."""
        return max(1, round(features * self.width))

    def conv(
        self, name: str, x: jax.Array, features: int, kernel_size: int | tuple[int, int], **how: Any
    ) -> jax.Array:
        """Returns the convolution `name` of x, before any nonlinearity, and taps it."""
        layer = Conv(
            features,
            kernel_size,
            kernel_init=self._initializer("kernel_init", name),
            bias_init=self._initializer("bias_init", name),
            dtype=self.dtype,
            name=name,
            **how,
        )
        return tap(self, name, layer(x))

    def dense(self, name: str, x: jax.Array, features: int) -> jax.Array:
        """Returns the fully connected layer `name` of x, before any nonlinearity, and taps it."""
        layer = Dense(
            features,
            kernel_init=self._initializer("kernel_init", name),
            bias_init=self._initializer("bias_init", name),
            dtype=self.dtype,
            name=name,
        )
        return tap(self, name, layer(x))

    def activate(self, name: str, x: jax.Array, train: bool) -> jax.Array:
        """Returns the nonlinearity of layer `name`, behind its batch norm where there is one."""
        norm = self.published.norm if self.norm == PUBLISHED else self.norm
        if norm == "batch":
            x = BatchNorm(view=self.view, dtype=self.dtype, name=f"{name}_bn")(x, train)
        published = self.activation == PUBLISHED
        return activation(self.published.activation if published else self.activation)(x)

    def dropout(self, name: str, x: jax.Array, train: bool) -> jax.Array:
        """Returns x behind the dropout that stands after layer `name`."""
        rate = self.dropout_rates()[name]
        return Dropout(rate, view=self.view, name=f"{name}_dropout")(x, train)

    def logits(self, name: str, x: jax.Array) -> jax.Array:
        """Returns the last layer of x, as wide as there are classes, in float32 at least."""
        logits = self.dense(name, x, self.num_classes)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def dropout_rates(self) -> dict[str, Any]:
        """Returns the rate at every place where this network can drop."""
        places = dict(self.published.dropout)
        if isinstance(self.dropout_rate, str):
            return places
        if isinstance(self.dropout_rate, Mapping):
            return places | dict(self.dropout_rate)
        return dict.fromkeys(places, self.dropout_rate)

    def _initializer(self, knob: str, name: str) -> Initializer:
        chosen, published = getattr(self, knob), getattr(self.published, knob)
        if isinstance(chosen, Mapping):
            chosen = chosen.get(name, chosen.get("*", PUBLISHED))
        if chosen == PUBLISHED:
            chosen = published.get(name, published["*"])
        return initializers.build(chosen)


def check_knobs(model: Network) -> None:
    """Checks the words in the knobs of a network, before anything is traced.

    Raises:
        InputError: an activation or initialiser that does not exist, or a dropout rate at a
            place where the network has no dropout.
    """
    if model.width <= 0:
        raise InputError(f"width = {model.width}: must be above 0")
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
    try:
        if model.activation != PUBLISHED:
            activation(model.activation)
        for knob in (model.kernel_init, model.bias_init):
            for spec in knob.values() if isinstance(knob, Mapping) else [knob]:
                if spec != PUBLISHED:
                    initializers.build(spec)
    except ValueError as error:
        raise InputError(str(error)) from error


def check_layer_names(model: Network, params: Mapping[str, Any]) -> None:
    """Checks that the maps in `kernel_init` and `bias_init` name layers that exist.

    Raises:
        InputError: a map names a layer that the network does not have.
    """
    layers = [name for name, leaves in params.items() if "kernel" in leaves]
    for knob in ("kernel_init", "bias_init"):
        chosen = getattr(model, knob)
        for name in chosen if isinstance(chosen, Mapping) else ():
            if name != "*" and name not in layers:
                raise InputError(
                    f"{knob} names {name!r}: no such layer{hint(name, [*layers, '*'])}"
                )
