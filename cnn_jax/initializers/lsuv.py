"""Layer-sequential unit-variance initialisation (LSUV)."""

from math import prod, sqrt
from typing import Literal, NamedTuple

import numpy as np

from cnn_jax.initializers.fixed import orthogonal
from cnn_jax.initializers.layer_by_layer import (
    LayerRecord,
    LayerRule,
    Leaves,
    Reached,
    check_alive,
    variance_of,
)


class Limits(NamedTuple):
    """When an implementation leaves a layer.

    Attributes:
        tolerance: distance of the variance from 1 that is good enough.
        divisions: most divisions of a layer's weights.
        smallest: a layer of fewer outputs an example keeps its weights.
    """

    tolerance: float
    divisions: int
    smallest: int


# Caffe: tools/extra/lsuv_init.py of ducha-aiki/LSUVinit has margin = 0.02 and max_iter = 20, and
# looks at the latter after a division, so that the 21st is the last. Keras: lsuv_init.py of
# ducha-aiki/LSUV-keras has margin = 0.1, max_iter = 10, and leaves out layers of fewer than 32.
PUBLISHED = {"caffe": Limits(0.02, 21, 0), "keras": Limits(0.1, 10, 32)}


def lsuv(
    *,
    variant: Literal["caffe", "keras"] = "caffe",
    tolerance: float = 0.0,
    divisions: int = 0,
    pre_init: Literal["orthonormal", "network"] = "orthonormal",
) -> LayerRule:
    """Draw orthonormal weights, then divide them by the deviation of the layer's outputs.

    From the first layer to the last: while the variance of all outputs of the layer, over examples,
    positions and channels, is further from 1 than the tolerance, its weights are divided by the
    root of it. The outputs are those of the layer itself, before batch norm and nonlinearity, as in
    the first author's code (`var_before_relu_if_inplace`). Biases are left as the network draws
    them; where they are all equal, as almost everywhere, one division is exact up to rounding.

    Source: Mishkin & Matas 2016, All you need is a good init, arXiv:1511.06422, algorithm 1.

    Args:
        variant: of which implementation the limits are: the paper's Caffe code, 0.02 and 21
            divisions; or the first author's for Keras, 0.1 and 10, without layers of fewer than 32
            outputs an example, which keep the network's own weights.
        tolerance: in place of the variant's; 0: the variant's.
        divisions: in place of the variant's; 0: the variant's.
        pre_init: what is divided: orthonormal weights (the mode `OrthonormalLSUV` of the Caffe
            code), or those that the network's own initialiser drew (its mode `LSUV`).

    Raises:
        ValueError: the tolerance or the divisions are negative.
    """
    if tolerance < 0 or divisions < 0:
        raise ValueError(
            f"lsuv: tolerance = {tolerance} and divisions = {divisions} must be at least 0"
        )
    limits = PUBLISHED[variant]
    limits = limits._replace(
        tolerance=tolerance or limits.tolerance, divisions=divisions or limits.divisions
    )

    def scale(reached: Reached, before: float) -> tuple[Leaves, LayerRecord]:
        outputs = reached.output(reached.leaves)
        if prod(outputs.shape[1:]) < limits.smallest:
            kept = variance_of(outputs)
            return reached.leaves, LayerRecord(reached.name, before, kept, 0, True)
        leaves = reached.leaves
        if pre_init == "orthonormal":
            leaves = leaves | {"kernel": reached.drawn(orthogonal())}
        variance = variance_of(reached.output(leaves))
        done = 0
        while True:
            check_alive(reached.name, variance)
            within = abs(variance - 1) <= limits.tolerance
            if within or done == limits.divisions:
                return leaves, LayerRecord(reached.name, before, variance, done, within)
            leaves = leaves | {"kernel": np.asarray(leaves["kernel"]) / sqrt(variance)}
            variance = variance_of(reached.output(leaves))
            done += 1

    return scale
