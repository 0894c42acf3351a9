"""The loss around a network as a picture: its contours, and two slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from cnn_jax.seeing.landscape import Landscape
from cnn_jax.training.picture import new_picture, save

LEVELS = 24  # of the contours


def draw_landscape(found: Landscape, title: str, path: Path, config_hash: str = "") -> None:
    """Draws contours of the loss, its two slices through the network, as PNG and PDF.

    Args:
        found: of `landscape`.
        title: above the picture.
        path: of the picture.
        config_hash: of the run.
    """
    figure = new_picture(11.5, 5, title, config_hash)
    plane, slices = figure.subplots(1, 2, width_ratios=(1.15, 1))
    finite = np.where(np.isfinite(found.loss), found.loss, np.nan)
    low, high = max(float(np.nanmin(finite)), 1e-6), float(np.nanmax(finite))
    levels = np.geomspace(low, max(high, 1.001 * low), LEVELS)
    shown = np.clip(finite, low, levels[-1])
    colours = plane.contourf(
        found.along, found.along, shown, levels, norm="log", cmap="viridis_r", extend="neither"
    )
    plane.contour(found.along, found.along, shown, levels[::3], colors="k", linewidths=0.4)
    bar = figure.colorbar(colours, ax=plane, label="loss, nats", format="%.2g")
    bar.set_ticks(LogLocator(subs=(1, 2, 5)).tick_values(low, high))
    bar.ax.set_ylim(low, levels[-1])
    plane.plot(0, 0, "*", color="#ee6677", markersize=12, label="the network")
    plane.set_xlabel("along direction 1, norms of the filters")
    plane.set_ylabel("along direction 2")
    plane.set_aspect("equal")
    middle = len(found.along) // 2
    slices.plot(found.along, finite[middle], "o-", markersize=3, label="along direction 1")
    slices.plot(found.along, finite[:, middle], "s-", markersize=3, label="along direction 2")
    slices.set_yscale("log")
    for which in (slices.yaxis.set_major_formatter, slices.yaxis.set_minor_formatter):
        which(FuncFormatter(lambda value, _: f"{value:.3g}"))
    slices.set_xlabel("norms of the filters")
    slices.set_ylabel(f"loss, nats, n={found.n} at each point")
    slices.grid(alpha=0.3)
    slices.legend(frameon=False, fontsize=9)
    save(figure, path)
