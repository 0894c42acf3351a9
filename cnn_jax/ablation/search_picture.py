"""What a search saw: the validation error of every trial over each of the values it drew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from cnn_jax.ablation.trials import Round, Trial
from cnn_jax.config.search import Choice, LogUniform, Range
from cnn_jax.training.picture import COLOURS, legend_below, new_picture, save
from cnn_jax.training.picture_axes import error_axis

MOST_COLUMNS = 4
ABOVE = 1.025  # of a panel: where trials that diverged are marked, which have no error
MARKS = {"done": "o", "stopped": ".", "diverged": "x"}
BESIDE = 0.12  # dots of one choice lie this far apart at most, so that equal ones are told apart


def draw_search(rounds: Sequence[Round], title: str, path: Path, config_hash: str = "") -> None:
    """Draws a panel a key: a dot a trial, a colour a stage, crosses above for what diverged.

    The star is the best of the last stage, by validation. Test is in no panel. PNG and PDF.

    Args:
        rounds: the stages that were run; at least one.
        title: above the picture.
        path: of the picture.
        config_hash: of the base.
    """
    keys = list(rounds[0].ranges)
    columns = min(len(keys), MOST_COLUMNS)
    rows = math.ceil(len(keys) / columns)
    figure = new_picture(1.2 + 3.6 * max(columns, 2), 1.2 + 3.2 * rows, title, config_hash)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    best = next(iter(rounds[-1].ranked()), None)
    for axes, key in zip(panels, keys, strict=False):
        drawn = rounds[0].ranges[key]
        for number, round_ in enumerate(rounds):
            _dots(axes, drawn, key, round_.trials, COLOURS[number % len(COLOURS)], number)
        if best is not None:
            at, error = places(drawn, [best.values[key]]), [_percent(best)]
            axes.plot(at, error, "*", color="black", markersize=12, zorder=6, fillstyle="none")
        _scale(axes, drawn)
        axes.set_title(" ", fontsize=6)  # room for the crosses
        axes.set_xlabel(key)
        axes.grid(alpha=0.3)
    for axes in panels[len(keys) :]:
        axes.set_visible(False)
    error_axis(_percent(t) for r in rounds for t in r.in_order()).put_on(panels[0])
    for axes in panels[::columns]:
        axes.set_ylabel("validation error, %")
    legend_below(figure, _handles(rounds, best is not None), columns=4)
    save(figure, path)


def places(drawn: Range, values: Sequence[Any]) -> list[float]:
    """Returns where values stand on the axis of their key: the number of a choice, or the value.

    Args:
        drawn: the range of the first stage.
        values: of trials.
    """
    if isinstance(drawn, Choice):
        return [float(drawn.options.index(value)) for value in values]
    return [float(value) for value in values]


def _dots(
    axes: Any, drawn: Range, key: str, trials: Sequence[Trial], colour: str, number: int
) -> None:
    look: dict[str, Any] = {"color": colour, "linestyle": "", "zorder": 3 + number}
    for state, mark in MARKS.items():
        chosen = [trial for trial in trials if trial.state == state]
        at = np.array(places(drawn, [trial.values[key] for trial in chosen]))
        if isinstance(drawn, Choice) and len(at) > 1:
            at += np.linspace(-BESIDE, BESIDE, len(at))
        if state != "diverged":
            heights = [_percent(trial) for trial in chosen]
            axes.plot(at, heights, mark, markersize=5, alpha=0.8, **look)
        else:
            above: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
            (crosses,) = axes.plot(at, [ABOVE] * len(at), mark, markersize=5, **above, **look)
            crosses.set_in_layout(False)  # it would be taken for a part of the panel


def _scale(axes: Any, drawn: Range) -> None:
    if isinstance(drawn, Choice):
        axes.set_xticks(range(len(drawn.options)), [str(option) for option in drawn.options])
        axes.set_xlim(-0.5, len(drawn.options) - 0.5)
    elif isinstance(drawn, LogUniform):
        axes.set_xscale("log")
        axes.set_xlim(drawn.low / 1.2, drawn.high * 1.2)


def _percent(trial: Trial) -> float:
    return math.nan if trial.validation_error is None else 100 * trial.validation_error


def _handles(rounds: Sequence[Round], best: bool) -> list[Line2D]:
    handles = []
    for number, round_ in enumerate(rounds):
        label = f"stage {number + 1}: {len(round_.trials)} trials, {round_.stage.epochs:g} epochs"
        look: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "linestyle": ""}
        handles.append(Line2D([], [], marker="o", label=label, **look))
    plain: dict[str, Any] = {"color": "black", "linestyle": ""}
    if best:
        label = "best of the last stage, by validation"
        star: dict[str, Any] = {"marker": "*", "markersize": 12, "fillstyle": "none"}
        handles.append(Line2D([], [], label=label, **star, **plain))
    states = {trial.state for round_ in rounds for trial in round_.trials}
    for state, label in (("stopped", "stopped early"), ("diverged", "diverged: no error")):
        if state in states:
            handles.append(Line2D([], [], marker=MARKS[state], label=label, **plain))
    return handles
