"""The classifier of AlexNet and its successors: two wide layers with dropout, then the classes."""

from __future__ import annotations

from typing import Final

import jax

from cnn_jax.models.network import Network, Prediction

FEATURES: Final = 4096


def classify(
    network: Network,
    x: jax.Array,
    train: bool,
    names: tuple[str, str, str],
    *,
    normalise: bool = True,
) -> Prediction:
    """Returns the prediction from features, after two fully connected layers of 4096 units.

    Source: Krizhevsky et al. 2012, section 3.5 and 4.2.

    Args:
        network: whose layers these are.
        x: features (B, F).
        train: whether to drop units, where `network.published.dropout` names the layer.
        names: of the two hidden layers and the last one.
        normalise: whether the hidden layers have batch norm where the network has.
    """
    *hidden, last = names
    for name in hidden:
        x = network.dense(name, x, network.hidden(FEATURES))
        x = network.activate(name, x, train, normalise=normalise)
        if name in network.published.dropout:
            x = network.dropout(name, x, train)
    return Prediction(network.logits(last, x), {})
