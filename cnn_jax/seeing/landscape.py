"""The loss around a trained network, along two random directions normalised filter by filter.

H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein (2018), Visualizing the loss landscape of neural
nets, arXiv:1712.09913, section 4: each filter of a Gaussian direction gets the norm of that filter
in the network; what has no filters (biases, batch norm) is left where it is. So rescaling a layer
and the next one, which changes nothing in a rectifier network, changes nothing in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.devices.parallel import Devices
from cnn_jax.evaluation.exact import evaluate
from cnn_jax.models.network import Network
from cnn_jax.step.steps import make_eval_step


@dataclass(frozen=True)
class Landscape:
    """The loss at every point of a grid.

    Attributes:
        along: coordinates along both directions, float (P,); 0 is the network itself.
        loss: mean cross-entropy, nats, (P, P): a row a coordinate of the second direction.
        error: fraction wrong, (P, P).
        n: examples counted at each point.
        seed: of the directions.
    """

    along: np.ndarray
    loss: np.ndarray
    error: np.ndarray
    n: int
    seed: int

    def to_tree(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        return {
            "along": self.along.tolist(),
            "loss": self.loss.tolist(),
            "error": self.error.tolist(),
            "n": self.n,
            "seed": self.seed,
        }


def direction(params: Any, key: jax.Array) -> Any:
    """Returns a Gaussian direction whose filters have the norms of the network's.

    Args:
        params: of the network; the last axis of an array counts its filters.
        key: of the draw.

    Returns:
        A tree like `params`; zeros where an array has one axis or none.
    """
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, max(len(leaves), 1))
    drawn = (_normalised(leaf, one) for leaf, one in zip(leaves, keys, strict=False))
    return jax.tree.unflatten(tree, drawn)


def _normalised(leaf: jax.Array, key: jax.Array) -> jax.Array:
    if leaf.ndim < 2:
        return jnp.zeros_like(leaf)
    noise = jax.random.normal(key, leaf.shape, leaf.dtype)
    axes = tuple(range(leaf.ndim - 1))
    norm, own = (jnp.sqrt((x**2).sum(axes, keepdims=True)) for x in (noise, leaf))
    return noise * own / norm


def moved(params: Any, first: Any, second: Any, a: Any, b: Any) -> Any:
    """Returns `params` + a `first` + b `second`."""
    return jax.tree.map(lambda p, d, e: p + a * d + b * e, params, first, second)


def landscape(
    model: Network,
    variables: Mapping[str, Any],
    preprocessing: Preprocessing,
    split: AnySplit,
    points: int = 21,
    span: float = 1.0,
    seed: int = 0,
    batch_size: int = 256,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Landscape:
    """Returns the loss on a grid around a network: every point over all of a split, exactly.

    Batch norm uses the running statistics of the network everywhere.

    Args:
        model: the network.
        variables: its `params` and `batch_stats`.
        preprocessing: what its inputs go through.
        split: the examples, as it sees them.
        points: along each direction; odd, so that the network itself is among them.
        span: the grid reaches from -span to span, in norms of the filters.
        seed: of both directions.
        batch_size: examples in one step.
        report: is told how many points of all are done.

    Raises:
        InputError: the number of points is even, or below 3.
    """
    if points < 3 or points % 2 == 0:
        raise InputError(f"--points={points}: an odd number is needed, 3 or more")
    params = variables["params"]
    first, second = (direction(params, key) for key in jax.random.split(jax.random.key(seed)))
    step = make_eval_step(model, preprocessing)

    def moved_step(a: jax.Array, b: jax.Array, batch: Any) -> Any:
        return step(moved(params, first, second, a, b), variables["batch_stats"], batch)

    compiled = Devices(count=jax.local_devices()[0]).compile_inference(moved_step)
    along = np.linspace(-span, span, points).astype(np.float32)
    loss, error = np.zeros((points, points)), np.zeros((points, points))
    n = 0
    for row, b in enumerate(along):
        for column, a in enumerate(along):
            found = evaluate(partial(compiled, a, b), split, batch_size)
            loss[row, column], error[row, column], n = found.loss, found.top1_error, found.n
            report(row * points + column + 1, points**2)
    return Landscape(along, loss, error, n, seed)
