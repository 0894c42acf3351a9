"""Initialisers of parameters, by name: `build('he_normal(mode=fan_out)')(key, shape, dtype)`."""

from cnn_jax.initializers.fixed import INITIALIZERS
from cnn_jax.initializers.specification import build

__all__ = ["INITIALIZERS", "build"]
