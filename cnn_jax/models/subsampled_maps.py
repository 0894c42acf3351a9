"""What LeNet-1, LeNet-4 and LeNet-5 share: sub-sampled maps, and tables of who sees which."""

from __future__ import annotations

from typing import Any

import jax

from cnn_jax.layers.subsampling import SubSampling
from cnn_jax.models.network import Network

Table = tuple[tuple[int, ...], ...]  # for each output map the input maps that it sees


def subsample(network: Network, name: str, x: jax.Array, train: bool, **how: Any) -> jax.Array:
    """Returns maps of half the size: sums over 2x2 times a coefficient, a bias, the nonlinearity.

    Args:
        network: whose layer it is.
        name: of the layer in the paper.
        x: maps (B, H, W, C).
        train: as the network is called.
        **how: further fields of `SubSampling`.
    """
    x = network.learned(name, SubSampling, x, window=2, **how)
    return network.activate(name, x, train)


def copied(table: Table, inputs: int, copies: int) -> Table:
    """Returns a table for so many times the maps: each copy sees all copies of its inputs.

    Args:
        table: for one copy.
        inputs: number of input maps of one copy.
        copies: of all maps.
    """
    seen_by_each = [
        tuple(inputs * copy + i for copy in range(copies) for i in seen) for seen in table
    ]
    return tuple(seen_by_each * copies)
