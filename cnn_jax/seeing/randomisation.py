"""Whether an explanation depends on what was learned: layers are drawn anew, from the top down.

J. Adebayo et al. (2018), Sanity Checks for Saliency Maps, arXiv:1810.03292, section 3: a picture
that stays the same when the weights are random explains the image, not the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from scipy.stats import spearmanr

from cnn_jax.seeing.explanations import Explainer
from cnn_jax.seeing.subject import Subject, as_pixels

DEPTHS: Final = 6  # of the cascade that are looked at, first and last included
RULES: Final = ("gradient", "guided")
SEED: Final = 2018  # none with which one would train: a network drawn by that is no other one


def weighted_layers(subject: Subject) -> list[str]:
    """Returns the layers with weights, from the logits down."""
    kinds = ("conv", "dense", "local", "subsample")
    return [row.name for row in subject.rows.values() if row.kind in kinds and not row.auxiliary][
        ::-1
    ]


def drawn_anew(subject: Subject, seed: int = SEED) -> Mapping[str, Any]:
    """Returns variables as the network draws them."""
    images = jnp.zeros((1, *subject.image_shape), subject.model.dtype)
    drawn = jax.jit(subject.model.init)(jax.random.key(seed), images)
    return {"params": drawn["params"], "batch_stats": drawn.get("batch_stats", {})}


def mixed(subject: Subject, drawn: Mapping[str, Any], layers: Sequence[str]) -> dict[str, Any]:
    """Returns a network's variables, of which some layers are drawn anew, with their batch norm.

    Args:
        subject: the network.
        drawn: of `drawn_anew`.
        layers: by name.
    """
    taken = {f"{name}{ending}" for name in layers for ending in ("", "_bn", "_prelu")}
    result = {}
    for collection, tree in subject.variables.items():
        own, other = flatten_dict(tree), flatten_dict(drawn[collection])
        result[collection] = unflatten_dict(
            {
                path: other[path] if "/".join(path[:-1]) in taken and path in other else leaf
                for path, leaf in own.items()
            }
        )
    return result


def cascade(
    explainer: Explainer, image: np.ndarray, label: int, drawn: Mapping[str, Any], with_cam: bool
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Compares pictures of the trained network with those of one drawn anew ever deeper.

    Args:
        explainer: of the trained network.
        image: uint8 (H, W, C).
        label: number of the class.
        drawn: of `drawn_anew`.
        with_cam: whether `grad_cam` is compared, too.

    Returns:
        For each depth how many layers are drawn anew, the lowest of them, and the rank correlation
        of the moduli of each method with those of the trained network; and `guided` where all of
        the network is random.
    """
    layers = weighted_layers(explainer.subject)
    pixels = np.asarray(as_pixels(image))

    def pictures(variables: Any) -> dict[str, np.ndarray]:
        found = {rule: explainer.signal(rule, pixels, label, variables)[1] for rule in RULES}
        if with_cam:
            found["grad_cam"] = explainer.grad_cam(pixels, label, variables).values
        return found

    trained = pictures(explainer.subject.variables)
    depths = sorted({round(d) for d in np.linspace(1, len(layers), DEPTHS)})
    rows, guided = [], trained["guided"]
    for depth in depths:
        now = pictures(mixed(explainer.subject, drawn, layers[:depth]))
        similar = {name: alike(trained[name], now[name]) for name in now}
        rows.append({"drawn_anew": depth, "down_to": layers[depth - 1], "correlation": similar})
        guided = now["guided"]
    return rows, guided


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Returns Spearman's correlation of the moduli; NaN where one of both is constant."""
    a, b = np.abs(one).ravel(), np.abs(other).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)
