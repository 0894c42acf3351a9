"""How fast one layer is, forward and backward, on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.devices.parallel import Devices
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layered import Part

LAYERS = (
    "conv",
    "dense",
    "max_pool",
    "average_pool",
    "global_average_pool",
    "local_response_norm",
    "normalise",
)
TAKE_TRAIN = ("normalise",)


class OneLayer(Part):
    """One layer, made as a network makes it.

    Attributes:
        kind: method of `Layered`.
        options: arguments of that method.
    """

    kind: str = "conv"
    options: tuple[tuple[str, Any], ...] = ()

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        """Returns the layer's output."""
        how = dict(self.options)
        if self.kind in TAKE_TRAIN:
            how["train"] = train
        y: jax.Array = getattr(self, self.kind)("layer", x, **how)
        return y


class LayerBenchmark:
    """Forward and backward pass of one layer, to its inputs and its weights.

    Args:
        kind: one of `LAYERS`.
        options: arguments of the method of `Layered` that makes it.
        batch_size: examples.
        image_shape: (H, W, C) of the input.
        dtype: of the computation.

    Raises:
        InputError: there is no such layer, or its arguments do not fit.
    """

    def __init__(
        self,
        kind: str,
        options: dict[str, Any],
        batch_size: int,
        image_shape: tuple[int, int, int],
        dtype: str,
    ):
        if kind not in LAYERS:
            raise InputError(f"--layer={kind}: unknown{hint(kind, LAYERS)}")
        fields: dict[str, Any] = {
            "kind": kind,
            "options": tuple(options.items()),
            "dtype": jnp.dtype(dtype),
        }
        self.layer = OneLayer(norm="batch" if kind == "normalise" else "none", **fields)
        shape = (batch_size, *image_shape)
        self.images = np.random.default_rng(0).standard_normal(shape, np.float32)
        try:
            self.variables = init_variables(self.layer, jax.random.key(0), shape)
        except (TypeError, ValueError) as error:
            raise InputError(f"--layer={kind}: {error}") from error
        stats = self.variables["batch_stats"]

        def objective(params: Any, x: jax.Array) -> jax.Array:
            variables = {"params": params, "batch_stats": stats}
            y, _ = self.layer.apply(variables, x, mutable=["batch_stats"])
            return jnp.sum(jnp.square(y))

        self._gradient = Devices(count=1).compile_inference(jax.grad(objective, argnums=(0, 1)))

    def alone(self) -> Callable[[int], None]:
        """Returns a function that makes that many passes."""
        x = jnp.asarray(self.images, self.layer.dtype)

        def run(steps: int) -> None:
            for _ in range(steps):
                gradients = self._gradient(self.variables["params"], x)
            jax.block_until_ready(gradients)

        return run
