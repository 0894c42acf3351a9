"""Equal blocks, one after another, compiled once.

The compiler sees one block in a loop instead of many, so a deep network compiles in the time of a
shallow one. The parameters keep the tree of the unrolled network: they are stacked here, inside
the program, and the new batch statistics are taken apart again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

# What is recorded block by block cannot be taken out of the loop.
RECORDS = ("taps", "intermediates", "perturbations")


def can_scan(network: nn.Module) -> bool:
    """Whether this pass may run its blocks in a loop: it makes no parameters and no records."""
    recorded = any(network.is_mutable_collection(name) for name in RECORDS)
    return not network.is_initializing() and not recorded


def scan_blocks(
    network: nn.Module, block: nn.Module, names: Sequence[str], x: jax.Array, train: bool
) -> jax.Array:
    """Returns x after equal blocks, as if `network` had called each of them by its name.

    The results are those of the unrolled network up to rounding.

    Args:
        network: the bound module in whose variables the blocks are found by name.
        block: any of them, unbound (`parent=None`); called as `block(x, train)`, and gives what it
            takes in shape and dtype. It may use the collections `params` and `batch_stats`, and
            nothing random.
        names: of the blocks, in the order in which they run.
        x: maps (B, H, W, C).
        train: passed on to the blocks.
    """
    assert network.scope is not None
    variables = {}
    for collection in ("params", "batch_stats"):
        trees = [network.scope.get_variable(collection, name) for name in names]
        if trees[0] is not None:
            variables[collection] = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    mutable = ["batch_stats"] if network.is_mutable_collection("batch_stats") else []

    def body(x: jax.Array, variables: Any) -> tuple[jax.Array, Any]:
        return block.apply(variables, x, train, mutable=mutable)

    x, changed = lax.scan(body, x, variables)
    for collection, stacked in changed.items():
        for i, name in enumerate(names):
            tree = jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
            network.scope.put_variable(collection, name, tree)
    return x
