"""How a network, or a part of one, makes its layers: by the paper's names and the knobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax import initializers
from cnn_jax.config.values import Multiplier
from cnn_jax.initializers.fixed import Initializer
from cnn_jax.layers.activations import MAXOUT_PIECES, PReLU, activation, maxout
from cnn_jax.layers.batch_norm import BatchNorm
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.layers.convolution import Conv
from cnn_jax.layers.dense import Dense
from cnn_jax.layers.dropout import Dropout
from cnn_jax.layers.local_response_norm import local_response_norm
from cnn_jax.layers.pooling import average_pool, global_average_pool, max_pool
from cnn_jax.layers.spatial_pyramid import spatial_pyramid_pool

# Activations with parameters, which `layers.activations.activation` does not know.
LEARNED_ACTIVATIONS: Final = ("prelu", "prelu_shared")
PUBLISHED: Final = "published"  # the word in a knob that means: what the paper prints
Rates = Mapping[str, float | jax.Array]
Size = int | Sequence[int]


@dataclass(frozen=True)
class Published:
    """What the paper prints for each layer: the meaning of the word `published`.

    Layers inside a part of the network are named `part/layer`.

    Attributes:
        activation: name of the nonlinearity.
        kernel_init: layer or part -> initialiser, `*` for the rest.
        bias_init: the same for biases.
        norm: `none` or `batch`.
        dropout: layer name -> rate, every place where it can stand; 0 where the paper has none.
        batch_norm: arguments of `BatchNorm`, where they are not its defaults.
        bias_under_norm: whether a convolution keeps its bias where batch norm shifts its output.
    """

    activation: str = "relu"
    kernel_init: Mapping[str, str] = field(default_factory=lambda: {"*": "he_normal"})
    bias_init: Mapping[str, str] = field(default_factory=lambda: {"*": "zeros"})
    norm: str = "none"
    dropout: Mapping[str, float] = field(default_factory=dict)
    batch_norm: Mapping[str, Any] = field(default_factory=dict)
    bias_under_norm: bool = True


def tap(module: nn.Module, name: str, value: jax.Array) -> jax.Array:
    """Record an activation under `taps[name]`, whatever module of the network calls.

    Nothing is recorded, or left in the program, unless the collection `taps` is mutable:
    `logits, state = model.apply(variables, images, mutable=['taps'])`. Inside a lifted transform
    (`nn.scan`, `nn.remat`) the root is that of the transform: tap outside.

    Where the collection `perturbations` holds an array of this name, it is added to what goes on:
    the derivative with respect to zeros there is that with respect to the activation.

    Args:
        module: the bound module that calls.
        name: the layer's name in the paper; unique in the network.
        value: the activation.

    Returns:
        `value`, or its sum with the perturbation.

    Raises:
        ValueError: if two layers record under one name.

    Example:
        >>> class Doubled(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x):
        ...         return tap(self, "double", 2 * x)
        >>> _, state = Doubled().apply({}, 3.0, mutable=["taps"])
        >>> state["taps"]["double"]
        6.0
    """
    if module.scope is None or module.is_initializing():
        return value
    root = module.scope.root
    if root.is_mutable_collection("taps"):
        if root.has_variable("taps", name):
            raise ValueError(f"tap {name!r} is recorded twice in one pass")
        root.put_variable("taps", name, value)
    if root.has_variable("perturbations", name):
        return value + root.get_variable("perturbations", name)
    return value


class Layered(nn.Module):
    """A network or a part of one, with the knobs by which it makes its layers.

    Every operation on activations goes through a method of this class, with the paper's name of
    the layer: so it can be recorded (`models.layer_table`), tapped and ablated.

    Attributes:
        width: multiplier of every hidden width.
        dtype: of the computation; float32, bfloat16 or float64.
        activation: name of the nonlinearity.
        norm: `none` or `batch`: batch normalisation before every nonlinearity.
        kernel_init: an initialiser for all layers, or a map layer or part -> initialiser, `*` for
            the rest.
        bias_init: the same for the biases.
        dropout_rate: one rate for every place that `Published.dropout` names, or a map by name.
        view: which part of the global batch the layers see; set by the step builder.
    """

    width: Multiplier = 1.0
    dtype: Any = jnp.float32
    activation: str = PUBLISHED
    norm: Literal["published", "none", "batch"] = PUBLISHED
    kernel_init: str | Mapping[str, str] = PUBLISHED
    bias_init: str | Mapping[str, str] = PUBLISHED
    dropout_rate: Literal["published"] | float | Rates = PUBLISHED
    view: BatchView = BatchView()

    @property
    def published(self) -> Published:
        """What the paper prints; networks say it, parts are told."""
        raise NotImplementedError(f"{type(self).__name__} does not say what is published")

    @property
    def normalised(self) -> bool:
        """Whether batch normalisation stands before the nonlinearities."""
        return (self.published.norm if self.norm == PUBLISHED else self.norm) == "batch"

    @property
    def nonlinearity(self) -> str:
        """The name of the nonlinearity."""
        return self.published.activation if self.activation == PUBLISHED else self.activation

    def hidden(self, features: int, multiple_of: int = 1) -> int:
        """Returns a hidden width times `width`, a multiple of `multiple_of` and at least that."""
        return max(1, round(features * self.width / multiple_of)) * multiple_of

    def part(self, kind: type[P], name: str, **fields: Any) -> P:
        """Returns a part of the network that goes by the same knobs."""
        return kind(
            width=self.width,
            dtype=self.dtype,
            activation=self.activation,
            norm=self.norm,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
            dropout_rate=self.dropout_rates(),
            view=self.view,
            whole=self.published,
            name=name,
            **fields,
        )

    def learned(self, name: str, kind: type[nn.Module], x: jax.Array, **fields: Any) -> jax.Array:
        """Returns the layer `name` of x, of class `kind` with these fields, and taps it."""
        layer = kind(
            kernel_init=self._initializer("kernel_init", name),
            bias_init=self._initializer("bias_init", name),
            dtype=self.dtype,
            name=name,
            **fields,
        )
        return tap(self, self._full(name), layer(x))

    def conv(
        self,
        name: str,
        x: jax.Array,
        features: int,
        kernel_size: Size,
        *,
        use_bias: bool | None = None,
        activated: bool = True,
        **geometry: Any,
    ) -> jax.Array:
        """Returns the convolution `name` of x, before any nonlinearity, and taps it.

        Args:
            name: of the layer in the paper.
            x: maps (B, H, W, C).
            features: number of filters.
            kernel_size: of the filters, pixels.
            use_bias: whether it has biases; None: unless batch norm follows and
                `published.bias_under_norm` is false.
            activated: whether the nonlinearity follows: a maxout unit then has several filters.
            **geometry: strides, padding, groups, rounding of `layers.convolution.conv2d`.
        """
        if use_bias is None:
            use_bias = self.published.bias_under_norm or not self.normalised
        features *= self._pieces(activated)
        geometry |= {"features": features, "kernel_size": kernel_size, "use_bias": use_bias}
        return self.learned(name, Conv, x, **geometry)

    def dense(self, name: str, x: jax.Array, features: int, *, activated: bool = True) -> jax.Array:
        """Returns the fully connected layer `name` of x (B, features), and taps it."""
        return self.learned(name, Dense, x, features=features * self._pieces(activated))

    def normalise(self, name: str, x: jax.Array, train: bool, **options: Any) -> jax.Array:
        """Returns x after the batch norm of layer `name`; x itself where there is none."""
        if not self.normalised:
            return x
        options = {**self.published.batch_norm, **options}
        return BatchNorm(view=self.view, dtype=self.dtype, name=f"{name}_bn", **options)(x, train)

    def activate(
        self, name: str, x: jax.Array, train: bool, *, normalise: bool = True
    ) -> jax.Array:
        """Returns the nonlinearity of layer `name`, after its batch norm where there is one."""
        if normalise:
            x = self.normalise(name, x, train)
        return self.rectify(name, x)

    def rectify(self, name: str, x: jax.Array) -> jax.Array:
        """Returns the nonlinearity of layer `name` alone; `models.listening` may replace it."""
        if self.nonlinearity in LEARNED_ACTIVATIONS:
            shared = self.nonlinearity == "prelu_shared"
            return PReLU(shared=shared, dtype=self.dtype, name=f"{name}_prelu")(x)
        if self.nonlinearity == "maxout":
            return maxout(x, self.maxout_pieces())
        return activation(self.nonlinearity)(x)

    def conv_unit(
        self, name: str, x: jax.Array, features: int, kernel_size: Size, train: bool, **how: Any
    ) -> jax.Array:
        """Returns the convolution `name` of x with its nonlinearity; `how` as in `conv`."""
        return self.activate(name, self.conv(name, x, features, kernel_size, **how), train)

    def dropout(self, name: str, x: jax.Array, train: bool) -> jax.Array:
        """Returns x after the dropout that stands after layer `name`."""
        rate = self.dropout_rates()[self._full(name)]
        return Dropout(rate, view=self.view, name=f"{name}_dropout")(x, train)

    def max_pool(self, name: str, x: jax.Array, window: Size, **how: Any) -> jax.Array:
        """Returns the maxima of x, see `layers.pooling.max_pool`, and taps them."""
        return tap(self, self._full(name), max_pool(x, window, **how))

    def average_pool(self, name: str, x: jax.Array, window: Size, **how: Any) -> jax.Array:
        """Returns the averages of x, see `layers.pooling.average_pool`, and taps them."""
        return tap(self, self._full(name), average_pool(x, window, **how))

    def global_average_pool(self, name: str, x: jax.Array) -> jax.Array:
        """Returns the average of each map, (B, C), and taps it."""
        return tap(self, self._full(name), global_average_pool(x))

    def spatial_pyramid_pool(self, name: str, x: jax.Array, levels: Sequence[int]) -> jax.Array:
        """Returns the pyramid's maxima, (B, features), and taps them."""
        return tap(self, self._full(name), spatial_pyramid_pool(x, levels))

    def local_response_norm(self, name: str, x: jax.Array, **how: Any) -> jax.Array:
        """Returns x, normalised as `layers.local_response_norm` says, and taps it."""
        return tap(self, self._full(name), local_response_norm(x, **how))

    def concatenate(self, name: str, branches: Sequence[jax.Array]) -> jax.Array:
        """Returns the maps of all branches side by side, and taps them."""
        return tap(self, self._full(name), jnp.concatenate(branches, axis=-1))

    def add(self, name: str, x: jax.Array, shortcut: jax.Array) -> jax.Array:
        """Returns the sum of a residual and its shortcut, and taps it."""
        return tap(self, self._full(name), x + shortcut)

    def flatten(self, x: jax.Array) -> jax.Array:
        """Returns (B, H, W, C) as (B, features), channels innermost."""
        return x.reshape(x.shape[0], -1)

    def dropout_rates(self) -> dict[str, Any]:
        """Returns the rate at every place where this network can drop."""
        places = dict(self.published.dropout)
        if isinstance(self.dropout_rate, str):
            return places
        if isinstance(self.dropout_rate, Mapping):
            return places | dict(self.dropout_rate)
        return dict.fromkeys(places, self.dropout_rate)

    def _full(self, name: str) -> str:
        return "/".join((*self.path, name))

    def maxout_pieces(self) -> int:
        """Returns how many filters a unit of maxout has."""
        return MAXOUT_PIECES

    def _pieces(self, activated: bool) -> int:
        return self.maxout_pieces() if activated and self.nonlinearity == "maxout" else 1

    def _initializer(self, knob: str, name: str) -> Initializer:
        chosen, published = getattr(self, knob), getattr(self.published, knob)
        if isinstance(chosen, Mapping):
            chosen = self._nearest(chosen, name) or PUBLISHED
        if chosen == PUBLISHED:
            chosen = self._nearest(published, name)
        return initializers.build(chosen)

    def _nearest(self, by_name: Mapping[str, str], name: str) -> str | None:
        """Looks a layer up by its full name, then by the parts it is in, innermost first."""
        path = (*self.path, name)
        parts = ["/".join(path[:end]) for end in range(len(path), 0, -1)]
        return next((by_name[part] for part in [*parts, "*"] if part in by_name), None)


class Part(Layered):
    """A part of a network, such as an Inception module or a residual block.

    Attributes:
        whole: what the paper of the whole network prints.
    """

    whole: Published = Published()

    @property
    def published(self) -> Published:
        """What the paper prints."""
        return self.whole


P = TypeVar("P", bound=Part)
