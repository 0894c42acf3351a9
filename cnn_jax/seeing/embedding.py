"""Examples as points in a plane by what a layer says of them, and which are nearest to which.

L. van der Maaten, G. Hinton (2008), Visualizing data using t-SNE; A. Karpathy drew CNN features so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from cnn_jax.config.problems import InputError
from cnn_jax.seeing.thumbnails import shown
from cnn_jax.training.picture import COLOURS, new_picture, save

MOST: Final = 2000  # points: t-SNE of 1,797 took 48 s on two busy cores
FIRST_BY_PCA: Final = 50  # directions that t-SNE is given, as its authors do
PERPLEXITY: Final = 30.0
THUMBNAILS: Final = 400  # images that are drawn, evenly spread; the others are dots
NAMED_CLASSES: Final = 20  # up to which the legend names each
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
    tsne = TSNE(
        2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed, n_jobs=-1
    )
    start = f"perplexity {perplexity:g}, from {directions} directions of PCA ({kept:.1f} %)"
    if reduced.shape[1] < 2:
        tsne.set_params(init="random")
    divergence = "Kullback-Leibler divergence"
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


def draw_embedding(
    projection: Projection,
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str,
    path: Path,
    config_hash: str = "",
) -> None:
    """Draws the plane: the points by class on the left, the images at their places on the right.

    Args:
        projection: of `project`.
        images: uint8 (N, H, W, C).
        labels: int (N,).
        class_names: one a class.
        title: above the picture.
        path: of the picture, PNG and PDF.
        config_hash: of the run.
    """
    figure = new_picture(14, 7.4, title, config_hash)
    dots, thumbnails = figure.subplots(1, 2)
    points, present = projection.points, np.unique(labels)
    for place, label in enumerate(present):
        own, look = labels == label, _look(place)
        dots.scatter(*points[own].T, s=14, label=class_names[label], linewidths=0.3, **look)
    if len(present) <= NAMED_CLASSES:
        figure.legend(
            *dots.get_legend_handles_labels(),
            loc="outside lower left",
            ncols=10,
            frameon=False,
            fontsize=9,
        )
    chosen = np.unique(np.linspace(0, len(points) - 1, min(THUMBNAILS, len(points))).astype(int))
    zoom = 22 / max(images.shape[1:3])
    colour_of = {label: _look(place)["color"] for place, label in enumerate(present)}
    thumbnails.scatter(*points.T, s=0)
    for i in chosen:
        picture = OffsetImage(shown(images[i]), zoom=zoom, cmap="gray", clim=(0, 255))
        edge: dict[str, Any] = {"edgecolor": colour_of[labels[i]], "linewidth": 1.2}
        thumbnails.add_artist(AnnotationBbox(picture, points[i], pad=0.05, bboxprops=edge))
    for axes in (dots, thumbnails):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.margins(0.04)
    dots.set_xlabel(projection.note, fontsize=8)
    thumbnails.set_xlabel(
        f"{len(chosen)} of {len(points)} images, the frame is the class", fontsize=8
    )
    save(figure, path)


def _look(place: int) -> dict[str, Any]:
    """Colour and marker of a class: a second round through the colours has a marker of its own."""
    markers = "o^sDvP*X"
    round_ = place // len(COLOURS) % len(markers)
    return {"color": COLOURS[place % len(COLOURS)], "marker": markers[round_]}
