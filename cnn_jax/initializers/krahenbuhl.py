"""Within-layer initialisation of Krähenbühl et al."""

import numpy as np

from cnn_jax.initializers.fixed import gaussian
from cnn_jax.initializers.layer_by_layer import (
    LayerRecord,
    LayerRule,
    Leaves,
    Reached,
    check_alive,
    variance_of,
)
from cnn_jax.layers.partial_convolution import PartialConv

ROUNDING = 0.01  # of a channel's variance that counts as 1; bfloat16 outputs need it


def krahenbuhl(*, bias: float = 0.1) -> LayerRule:
    """Draw weights from N(0, 1), then give every channel of the outputs one mean and variance 1.

    From the first layer to the last, with mu and sigma the mean and the deviation of channel i over
    examples and positions: its weights are divided by sigma, and its bias becomes
    beta - mu / sigma, so that the channel has variance 1 and mean beta. A layer without biases, as
    below batch norm, keeps its means. Algorithm 2, which evens out the rates at which layers
    change, is not done.

    Source: Krähenbühl et al. 2016, Data-dependent Initializations of Convolutional Neural Networks,
    arXiv:1511.06856, algorithm 1.

    Args:
        bias: beta; 0.1 in the authors' code (philkr/magic_init), so that units begin above a ReLU.
    """

    def scale(reached: Reached, before: float) -> tuple[Leaves, LayerRecord]:
        leaves = {name: np.zeros_like(leaf) for name, leaf in reached.leaves.items()}
        leaves["kernel"] = reached.drawn(gaussian(1.0))
        mean, variance = moments(reached.output(leaves))
        check_alive(reached.name, variance)
        deviation = np.sqrt(variance)
        leaves["kernel"] = leaves["kernel"] / for_kernel(reached.layer, deviation)
        if "bias" in leaves:
            leaves["bias"] = np.broadcast_to(bias - mean / deviation, leaves["bias"].shape)
        leaves = {name: leaf.astype(reached.leaves[name].dtype) for name, leaf in leaves.items()}
        outputs = reached.output(leaves)
        within = bool((np.abs(moments(outputs)[1] - 1) <= ROUNDING).all())
        return leaves, LayerRecord(reached.name, before, variance_of(outputs), 1, within)

    return scale


def moments(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and variance of each channel, (C,), of outputs (N, ..., C).

    Example:
        >>> mean, variance = moments(np.array([[1.0, 0.0], [3.0, 0.0]]))
        >>> mean.tolist(), variance.tolist()
        ([2.0, 0.0], [1.0, 0.0])
    """
    axes = tuple(range(outputs.ndim - 1))
    return outputs.mean(axes), outputs.var(axes)


def for_kernel(layer: object, by_channel: np.ndarray) -> np.ndarray:
    """Returns numbers of the output channels, (C,), as the last axis of the layer's kernel.

    It counts the outputs, but in a partial convolution, where it counts pairs of maps.
    """
    if isinstance(layer, PartialConv):
        return np.repeat(by_channel, [len(inputs) for inputs in layer.connections])
    return by_channel
