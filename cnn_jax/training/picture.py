"""A picture as a run leaves it and a paper takes it: title, small print, legend, PNG and PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from cnn_jax.files import write_bytes

# P. Tol's bright scheme, then his muted one: told apart with colour-blind eyes.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#332288", "#882255")
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)))
SMALL_PRINT = "0.45"  # grey
DOTS_PER_INCH = 120
TRUE_TYPE = 42  # publishers refuse matplotlib's own fonts of type 3
FEW = 12  # points up to which each has a marker: a line of one point is not seen


def new_picture(width: float, height: float, title: str, config_hash: str = "") -> Figure:
    """Returns an empty figure with its title, and the config hash small in a corner.

    Args:
        width: inches.
        height: inches.
        title: begins with the name of the run.
        config_hash: of its config; empty where there is none.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    if config_hash:
        place: dict[str, Any] = {"x": 0.995, "y": 0.99, "ha": "right", "va": "top"}
        figure.text(s=f"config {config_hash}", size=6.5, color=SMALL_PRINT, **place)
    return figure


def legend_below(figure: Figure, handles: Sequence[Any], columns: int = 3) -> None:
    """Puts the legend below all panels, where no data are.

    Args:
        figure: with its panels.
        handles: what it names, in order; none makes no legend.
        columns: of the legend.
    """
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=min(columns, len(handles)),
            frameon=False,
            fontsize=9,
        )


def marker_of(points: int) -> str:
    """Returns the marker of a line: dots where it has few points, none where it has many."""
    return "o" if points <= FEW else ""


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG and, beside it, as PDF; the same figure gives the same bytes.

    Args:
        figure: finished.
        path: of either file, or without a suffix.

    Raises:
        InputError: it cannot be written.
    """
    suffixes: dict[str, dict[str, Any]] = {".png": {}, ".pdf": {"CreationDate": None}}
    name = path.name.removesuffix(path.suffix) if path.suffix in suffixes else path.name
    with matplotlib.rc_context({"pdf.fonttype": TRUE_TYPE}):
        for suffix, metadata in suffixes.items():
            content = io.BytesIO()
            figure.savefig(content, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)
            figure.set_layout_engine("none")  # what is laid out stays, and need not be again
            write_bytes(path.with_name(name + suffix), content.getvalue())
