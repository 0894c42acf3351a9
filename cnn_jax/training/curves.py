"""Learning curves of one run: loss and error, train and validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.training.picture import legend_below, marker_of, new_picture, save
from cnn_jax.training.picture_axes import error_axis, loss_axis

TRAIN, VALIDATION, TEST = "#4477aa", "#ee6677", "#228833"
WINDOWS = 50  # of the smoothing, in a curve
Line = dict[str, Any]


def draw_curves(lines: Sequence[Line], title: str, path: Path, config_hash: str = "") -> None:
    """Draws the learning curves, as PNG and PDF.

    Args:
        lines: of `metrics.jsonl`.
        title: above the picture.
        path: of the picture.
        config_hash: of the run.
    """
    train, validation, test = (
        [line for line in lines if line["kind"] == kind] for kind in ("train", "validation", "test")
    )
    figure = new_picture(10, 4.4, title, config_hash)
    losses, errors = figure.subplots(1, 2)
    for axes, of_train, key, factor, axis in (
        (losses, "data_loss", "loss", 1, loss_axis),
        (errors, "error", "top1_error", 100, error_axis),
    ):
        inside = _train(axes, *points(train, of_train, factor)) if train else []
        if validation:
            epochs, values = points(validation, key, factor)
            inside += values.tolist()
            mark = {"marker": marker_of(len(values)), "markersize": 4}
            axes.plot(epochs, values, color=VALIDATION, label="validation", **mark)
        if test:
            epochs, values = points(test[-1:], key, factor)
            inside += values.tolist()
            star = {"markersize": 11, "zorder": 5, "clip_on": False}
            axes.plot(epochs, values, "*", color=TEST, label="test, once, at the end", **star)
        axis(inside).put_on(axes)
        axes.set_xlim(left=0)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    losses.set_ylabel("loss, nats")
    errors.set_ylabel("error, %")
    legend_below(figure, errors.get_legend_handles_labels()[0], columns=4)
    save(figure, path)


def _train(axes: Any, epochs: np.ndarray, values: np.ndarray) -> list[float]:
    """Draws train, so that it is seen at any length; returns what must be inside the panel."""
    if len(values) < 2 * WINDOWS:
        mark = {"marker": marker_of(len(values)), "markersize": 4}
        axes.plot(epochs, values, color=TRAIN, label="train, single batches", linewidth=1, **mark)
        return values.tolist()
    faint = {"alpha": 0.35, "linewidth": 0.7}
    axes.plot(epochs, values, color=TRAIN, label="train, single batches", **faint)
    first = values[:1].tolist()
    epochs, values = smoothing(epochs, values)
    axes.plot(epochs, values, color=TRAIN, label="train, smoothed")
    return first + values.tolist()


def points(lines: Sequence[Line], key: str, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns epochs and values of a key, times a factor."""
    epochs = np.array([line["epoch"] for line in lines], dtype=float)
    return epochs, factor * np.array([line[key] for line in lines], dtype=float)


def smoothing(epochs: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a curve smoothed over a fiftieth of its length; a short one as it is."""
    window = max(1, len(values) // WINDOWS)
    return epochs[window - 1 :], smoothed(values, window)


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Returns the running mean of a curve, shorter by `window` - 1."""
    return np.convolve(values, np.ones(window) / window, "valid")
