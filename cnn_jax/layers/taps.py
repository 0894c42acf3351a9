"""Named activations, recorded on request."""

import flax.linen as nn
import jax


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
