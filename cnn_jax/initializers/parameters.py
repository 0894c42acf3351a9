"""The first parameters of a network, drawn leaf by leaf without compiling the network."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from struct import unpack
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

Path = tuple[str, ...]


def init_variables(
    model: nn.Module, key: jax.Array, images_shape: Sequence[int], **call_kwargs: Any
) -> dict[str, Any]:
    """Draw parameters and first batch statistics of a network.

    The network runs on shapes alone, to learn each leaf's own initialiser. A leaf is then drawn
    from a key made of `key` and its path in the tree (not from the keys of linen's `init`): a layer
    more or less does not change the others.

    Args:
        model: an unbound linen module called as `model(images, **call_kwargs)`.
        key: the key of the run's initialisation.
        images_shape: (N, H, W, C) of a batch, of any size.
        **call_kwargs: further arguments of the call, such as `train=False`.

    Returns:
        `{'params': tree, 'batch_stats': tree}`, the second empty without batch statistics.

    Raises:
        ValueError: if a leaf was not declared by `self.param` or `self.variable` of a module, or
            was declared inside a lifted transform that changes its shape.

    Example:
        >>> variables = init_variables(nn.Dense(2), jax.random.key(0), (1, 3))
        >>> {name: leaf.shape for name, leaf in variables["params"].items()}
        {'bias': (2,), 'kernel': (3, 2)}
    """
    recipes: dict[Path, Callable[[jax.Array], Any]] = {}
    rngs = {"params": key, "dropout": key}

    def declare(images: jax.Array) -> Any:
        with nn.intercept_methods(_recorder(recipes)):
            return model.init(rngs, images, **call_kwargs)

    declared = jax.eval_shape(declare, jax.ShapeDtypeStruct(tuple(images_shape), jnp.float32))
    leaves = {
        path: _draw(path, recipes, key, expected)
        for path, expected in flatten_dict(declared).items()
        if path[0] in ("params", "batch_stats")
    }
    variables = unflatten_dict(leaves)
    return {"params": variables.get("params", {}), "batch_stats": variables.get("batch_stats", {})}


def key_of(key: jax.Array, name: str) -> jax.Array:
    """Make a key that belongs to `name`, such as `params/conv1/kernel`.

    Example:
        >>> key = jax.random.key(0)
        >>> bool(key_of(key, "conv1/kernel") == key_of(key, "conv2/kernel"))
        False
    """
    for word in unpack("<2I", sha256(name.encode()).digest()[:8]):
        key = jax.random.fold_in(key, word)
    return key


def _recorder(recipes: dict[Path, Callable[[jax.Array], Any]]) -> Callable[..., Any]:
    """Make an interceptor that notes how each module it passes declares its leaves."""

    def intercept(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        module = context.module
        if "param" in vars(module):
            return method(*args, **kwargs)
        declare_param, declare_variable = module.param, module.variable

        def param(name: str, init: Callable[..., Any], *rest: Any, **options: Any) -> Any:
            recipes["params", *module.path, name] = lambda key: init(key, *rest, **options)
            return declare_param(name, init, *rest, **options)

        def variable(
            collection: str, name: str, init: Callable[..., Any], *rest: Any, **options: Any
        ) -> Any:
            recipes[collection, *module.path, name] = lambda key: init(*rest, **options)
            return declare_variable(collection, name, init, *rest, **options)

        # Module.__setattr__ refuses to change a bound module; these two live for one call.
        object.__setattr__(module, "param", param)
        object.__setattr__(module, "variable", variable)
        try:
            return method(*args, **kwargs)
        finally:
            object.__delattr__(module, "param")
            object.__delattr__(module, "variable")

    return intercept


def _draw(
    path: Path,
    recipes: dict[Path, Callable[[jax.Array], Any]],
    key: jax.Array,
    expected: jax.ShapeDtypeStruct,
) -> jax.Array:
    name = "/".join(path)
    if path not in recipes:
        raise ValueError(f"{name} was not declared by self.param or self.variable of a module")
    leaf = recipes[path](key_of(key, name))
    if leaf.shape != expected.shape or leaf.dtype != expected.dtype:
        raise ValueError(
            f"{name} is {expected.dtype}{list(expected.shape)} in the network, but its initialiser "
            f"gives {leaf.dtype}{list(leaf.shape)}: is it declared inside nn.scan or nn.vmap?"
        )
    return leaf
