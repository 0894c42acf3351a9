"""ResNets whose shortcuts pad on both sides, as ResNets whose shortcuts pad behind.

Option A of He et al. 2015, arXiv:1512.03385, section 4.1: where a stage has more maps than the one
before, the shortcut is the identity with maps of zeros for the new ones. The paper puts them
behind, and so do the networks here. The widely used PyTorch code for CIFAR puts half of them before
the old maps and half behind: with c maps before and c' after, map j of the sum there sees map
j - (c' - c)/2 of the shortcut, here map i sees map i.

No layer but the shortcut knows of an order of channels, so a permutation of each stage makes the
networks equal. Let p(i) be the place there of map i here, the identity in the first stage. Through
the shortcut of the next stage, map i here goes to map i, and map p(i) there to p(i) + (c' - c)/2:
so p'(i) = p(i) + (c' - c)/2 for i < c, and the maps that see zeros take the places that are left,
in their order. Of a block, the last convolution and its batch norm make maps in the order of its
stage, the first convolution reads them in that of the stage before, and the maps between, which no
shortcut reaches, stay where they are; the classifier reads those of the last stage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.models.layer_table import Row
from cnn_jax.transfer.naming import Order

LAYER: Final = re.compile(r"stage\d+_(\d+)/([ab])")


def padded_on_both_sides(rows: Sequence[Row]) -> dict[str, Order]:
    """Returns where the channels of each layer stand in a ResNet that pads on both sides.

    Args:
        rows: layer table of a `cifar_resnet` of basic blocks with shortcut A.

    Raises:
        InputError: the new maps cannot be halved.
    """
    widths = {row.name: row.output[-1] for row in rows}
    current = np.arange(widths["conv1"])
    orders = {}
    for row in rows:
        match = LAYER.fullmatch(row.name)
        if match and match[2] == "a":
            orders[row.name] = Order(inputs=current)
        elif match:
            current = padded(current, row.output[-1])
            orders[row.name] = Order(outputs=current)
            orders[f"{row.name}_bn"] = Order(outputs=current)
    return orders | {"logits": Order(inputs=current)}


def padded(order: np.ndarray, channels: int) -> np.ndarray:
    """Returns the order of a stage of `channels` maps after one with `order`.

    Raises:
        InputError: as `padded_on_both_sides`.
    """
    new = channels - len(order)
    # The code there adds a quarter of all maps on each side, whatever there was before.
    if new and new != 2 * (channels // 4):
        raise InputError(
            f"PyTorch code for CIFAR pads {len(order)} maps by {channels // 4} on each side, which "
            f"does not make {channels}"
        )
    old = order + new // 2
    return np.concatenate([old, np.setdiff1d(np.arange(channels), old)])
