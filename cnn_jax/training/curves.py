"""Learning curves of one run: loss and error, train and validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cnn_jax import files

TRAIN, VALIDATION, TEST = "#4477aa", "#ee6677", "#228833"


def draw_curves(lines: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draws the learning curves into a PNG file.

    Args:
        lines: of `metrics.jsonl`.
        title: above the picture.
        path: of the picture.
    """
    train = [line for line in lines if line["kind"] == "train"]
    validation = [line for line in lines if line["kind"] == "validation"]
    test = [line for line in lines if line["kind"] == "test"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, errors = figure.subplots(1, 2)
    _curve(losses, train, "data_loss", 1, TRAIN, "train, single batches", "train, smoothed")
    _curve(errors, train, "error", 100, TRAIN, "train, single batches", "train, smoothed")
    for axes, key, factor in ((losses, "loss", 1), (errors, "top1_error", 100)):
        if validation:
            epochs = [line["epoch"] for line in validation]
            values = [factor * line[key] for line in validation]
            axes.plot(epochs, values, color=VALIDATION, label="validation")
        if test:
            value = factor * test[-1][key]
            axes.plot(
                test[-1]["epoch"], value, "*", color=TEST, markersize=11, label="test, at the end"
            )
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    losses.set_ylabel("loss, nats")
    losses.set_yscale("log")
    errors.set_ylabel("error, %")
    errors.set_yscale("symlog", linthresh=1.0)
    errors.set_ylim(bottom=0)
    errors.yaxis.set_major_formatter("{x:g}")
    figure.suptitle(title)
    files.write_picture(path, figure, dpi=120)


def _curve(
    axes: Any,
    lines: list[dict[str, Any]],
    key: str,
    factor: float,
    color: str,
    raw: str,
    smooth: str,
) -> None:
    if not lines:
        return
    epochs = np.array([line["epoch"] for line in lines])
    values = factor * np.array([line[key] for line in lines])
    axes.plot(epochs, values, color=color, alpha=0.25, linewidth=0.7, label=raw)
    window = max(1, len(values) // 50)
    if window > 1:
        axes.plot(epochs[window - 1 :], smoothed(values, window), color=color, label=smooth)


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Returns the running mean of a curve, shorter by `window` - 1."""
    return np.convolve(values, np.ones(window) / window, "valid")
