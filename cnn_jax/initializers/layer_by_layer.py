"""One forward pass in which every layer gets its weights when the batch reaches it.

A layer here is a module with a parameter `kernel`: convolutions, dense, locally and partially
connected layers, trained sub-sampling; in branches, shortcuts and auxiliary heads too, in the order
in which the network runs them. Everything without one keeps what it has: batch norm, slopes of
PReLU, the fixed codes of LeNet-5. A layer that is called twice is changed at the first call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from cnn_jax.initializers.parameters import init_variables, key_of

Leaves = dict[str, Any]  # arrays by name
Path = tuple[str, ...]
# What a pass that records does not do: run equal blocks as one compiled loop.
UNROLLED = ["intermediates"]


class DeadLayerError(ValueError):
    """A layer whose outputs have no variance, or none that is finite."""


class LayerRecord(NamedTuple):
    """What happened to a layer.

    Attributes:
        name: its path in the network.
        before: variance of all its outputs in the network as it was drawn.
        after: the same with its new weights, where the layers before have new ones too.
        iterations: how often its weights were divided.
        within: whether it ended as the method wants it.
    """

    name: str
    before: float
    after: float
    iterations: int
    within: bool


class Initialised(NamedTuple):
    """What a data-dependent initialisation gives.

    Attributes:
        params: a tree like the one it began with.
        layers: one record a layer, in the order of the network.
    """

    params: dict[str, Any]
    layers: tuple[LayerRecord, ...]


@dataclass(frozen=True)
class Reached:
    """A layer that the batch has reached.

    Attributes:
        name: its path in the network.
        layer: the module, unbound.
        leaves: its parameters by name.
        inputs: arguments of its call; the first is the batch, (N, ..., C).
        key: the layer's own random key.
    """

    name: str
    layer: nn.Module
    leaves: Leaves
    inputs: tuple[Any, ...]
    key: jax.Array

    def output(self, leaves: Leaves) -> np.ndarray:
        """Returns what the layer makes of its inputs, (N, ..., features), float32 at least."""
        y: Any = self.layer.apply({"params": leaves}, *self.inputs)
        return np.asarray(y, np.promote_types(y.dtype, np.float32))

    def drawn(self, kernel_init: Callable[..., jax.Array]) -> np.ndarray:
        """Returns a kernel as the layer draws it by another initialiser."""
        layer = self.layer.clone(kernel_init=kernel_init)
        drawn = init_variables(layer, self.key, self.inputs[0].shape)
        return np.asarray(drawn["params"]["kernel"])


# From a layer with the variance of its outputs as drawn to its new parameters and its record.
LayerRule = Callable[[Reached, float], tuple[Leaves, LayerRecord]]


def initialise_layers(
    model: nn.Module,
    variables: Mapping[str, Any],
    images: jax.Array,
    key: jax.Array,
    rule: LayerRule,
    **call_kwargs: Any,
) -> Initialised:
    """Give every layer of a network its weights, one after another, in one eager pass.

    A first pass, which changes nothing, measures the network as it was drawn.

    Args:
        model: an unbound linen module called as `model(images, **call_kwargs)`.
        variables: `params`, and `batch_stats` where there are any.
        images: (N, H, W, C), as the network sees them.
        key: from which each layer's key is made, by its name.
        rule: what is done to a layer.
        **call_kwargs: further arguments of the call, such as `train=True`: batch norm then
            divides by the statistics of this batch.

    Raises:
        DeadLayerError: the outputs of a layer have no variance; the message names it.
        ValueError: a layer is not reached by the pass.

    Example:
        >>> from cnn_jax.initializers.lsuv import lsuv
        >>> model = nn.Sequential([nn.Dense(4)])
        >>> images = jax.random.normal(jax.random.key(1), (32, 6))
        >>> variables = model.init(jax.random.key(0), images)
        >>> new = initialise_layers(model, variables, images, jax.random.key(0), lsuv())
        >>> [f"{layer.after:.2f}" for layer in new.layers]
        ['1.00']
    """
    before: dict[Path, float] = {}
    done: dict[Path, tuple[Leaves, LayerRecord]] = {}

    def measure(path: Path, reached: Reached) -> Leaves:
        before.setdefault(path, variance_of(reached.output(reached.leaves)))
        return reached.leaves

    def change(path: Path, reached: Reached) -> Leaves:
        if path not in done:
            done[path] = rule(reached, before[path])
        return done[path][0]

    for visit in (measure, change):
        with nn.intercept_methods(_visitor(variables["params"], key, visit)):
            model.apply(variables, images, mutable=UNROLLED, **call_kwargs)
    flat = flatten_dict(variables["params"])
    missed = {path[:-1] for path in flat if path[-1] == "kernel"} - done.keys()
    if missed:
        names = ", ".join(sorted("/".join(path) for path in missed))
        raise ValueError(
            f"the pass does not reach {names}: these layers have no outputs to measure"
        )
    for path, (leaves, _) in done.items():
        flat |= {(*path, name): jnp.asarray(leaf) for name, leaf in leaves.items()}
    return Initialised(unflatten_dict(flat), tuple(record for _, record in done.values()))


def variance_of(outputs: np.ndarray) -> float:
    """Returns the variance of all numbers of an array.

    Example:
        >>> variance_of(np.array([1.0, 3.0]))
        1.0
    """
    return float(np.var(outputs))


def check_alive(name: str, variances: np.ndarray | float) -> None:
    """Checks the variances of a layer, one or one a channel.

    Raises:
        DeadLayerError: one is zero or not finite.

    Example:
        >>> check_alive("conv1", np.array([1.0, 0.0]))
        Traceback (most recent call last):
            ...
        cnn_jax.initializers.layer_by_layer.DeadLayerError: channel 1 of conv1 has outputs of ...
    """
    values = np.atleast_1d(variances)
    bad = ~(np.isfinite(values) & (values > 0))
    if not bad.any():
        return
    first = int(np.argmax(bad))
    where = f"channel {first} of {name}" if values.size > 1 else name
    raise DeadLayerError(
        f"{where} has outputs of variance {values[first]:g} over the batch: its weights cannot be "
        "scaled to a variance of 1; what comes before it is dead, or overflows"
    )


def _visitor(
    params: Mapping[str, Any], key: jax.Array, visit: Callable[[Path, Reached], Leaves]
) -> Callable[..., Any]:
    """Make an interceptor that calls every layer with the parameters that `visit` returns."""
    leaves: dict[Path, Leaves] = {}
    for path, leaf in flatten_dict(params).items():
        leaves.setdefault(path[:-1], {})[path[-1]] = leaf
    inside: list[Path] = []

    def intercept(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        module, path = context.module, tuple(context.module.path)
        is_layer = context.method_name == "__call__" and "kernel" in leaves.get(path, {})
        if inside or not is_layer or kwargs:
            return method(*args, **kwargs)
        # The layer itself runs below, unbound, and is not to be met again.
        inside.append(path)
        try:
            name = "/".join(path)
            unbound = module.clone(parent=None)
            reached = Reached(name, unbound, leaves[path], args, key_of(key, name))
            return unbound.apply({"params": visit(path, reached)}, *args)
        finally:
            inside.pop()

    return intercept
