"""Examples as points in a plane by what a layer says of them, and which are nearest to which.

L. van der Maaten, G. Hinton (2008), Visualizing data using t-SNE; A. Karpathy drew CNN features so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from cnn_jax.config.problems import InputError

MOST: Final = 2000  # points: t-SNE of 1,797 took 48 s on two busy cores
FIRST_BY_PCA: Final = 50  # directions that t-SNE is given, as its authors do
PERPLEXITY: Final = 30.0
Method = Literal["tsne", "pca"]


@dataclass(frozen=True)
class Projection:
    """Points in the plane.

    Attributes:
        points: float (N, 2).
        note: how they were made, in a sentence.
    """

    points: np.ndarray
    note: str


def project(features: np.ndarray, method: Method = "tsne", seed: int = 0) -> Projection:
    """Returns features as points in the plane.

    Args:
        features: (N, ...), at least three examples and at most `MOST`.
        method: `pca`: the two directions of most variance; `tsne`: neighbours stay neighbours,
            distances beyond them mean nothing.
        seed: of t-SNE; its start is that of PCA.

    Raises:
        InputError: there are too few examples or too many, or the features are not finite.
    """
    flat = features.reshape(len(features), -1).astype(np.float64)
    if not 3 <= len(flat) <= MOST:
        raise InputError(f"{len(flat):,} examples for an embedding; allowed: 3 to {MOST:,}")
    if not np.isfinite(flat).all():
        raise InputError("features that are not finite cannot be embedded: the network diverged")
    directions = min(FIRST_BY_PCA if method == "tsne" else 2, *flat.shape)
    pca = PCA(directions, svd_solver="full" if min(flat.shape) < 500 else "randomized")
    pca.set_params(random_state=seed)
    reduced = pca.fit_transform(flat)
    kept = 100 * float(np.nan_to_num(pca.explained_variance_ratio_.sum()))
    if method == "pca":
        points = np.zeros((len(flat), 2))
        points[:, : reduced.shape[1]] = reduced
        return Projection(points, f"PCA; the two directions hold {kept:.1f} % of the variance")
    perplexity = min(PERPLEXITY, (len(flat) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    start = f"perplexity {perplexity:g}, from {directions} directions of PCA ({kept:.1f} %)"
    if reduced.shape[1] < 2:
        tsne.set_params(init="random")
    divergence = "Kullback-Leibler divergence"
    # Threads that wait for one another spin: two on busy cores took twelve times as long as one.
    with threadpool_limits(1):
        points = tsne.fit_transform(reduced.astype(np.float32))
    return Projection(
        points, f"t-SNE, {start}; {divergence} {tsne.kl_divergence_:.3f}, seed {seed}"
    )


def nearest(
    features: np.ndarray, queries: np.ndarray, most: int, exclude: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the examples nearest to queries in feature space, and how far they are.

    Args:
        features: (N, ...) of the examples.
        queries: (Q, ...).
        most: neighbours of each.
        exclude: for each query the example that it is itself, which is no neighbour; or nothing.

    Returns:
        Numbers of examples, int (Q, most), nearest first, and Euclidean distances (Q, most).
    """
    known = features.reshape(len(features), -1).astype(np.float64)
    asked = queries.reshape(len(queries), -1).astype(np.float64)
    squared = (asked**2).sum(1)[:, None] - 2 * asked @ known.T + (known**2).sum(1)[None]
    for row, example in enumerate(exclude):
        squared[row, example] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :most]
    distances = np.sqrt(np.maximum(np.take_along_axis(squared, order, 1), 0))
    return order, distances


def neighbour_purity(features: np.ndarray, labels: np.ndarray, neighbours: int = 10) -> float:
    """Returns which share of the nearest neighbours has the class of the example, in the mean.

    Args:
        features: (N, ...).
        labels: int (N,).
        neighbours: of each example; it is not its own.
    """
    most = min(neighbours, len(features) - 1)
    order, _ = nearest(features, features, most, range(len(features)))
    return float((labels[order] == labels[:, None]).mean())
