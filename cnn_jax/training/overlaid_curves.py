"""Learning curves of several runs in one picture, to be compared by their validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.lines import Line2D

from cnn_jax.config.problems import InputError
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training.curves import points, smoothing
from cnn_jax.training.picture import COLOURS, DASHES, legend_below, marker_of, new_picture, save
from cnn_jax.training.picture_axes import error_axis, loss_axis

# Of a panel: what it shows, the key in the lines of train and of validation, the factor.
LOSS = ("loss, nats", "data_loss", "loss", 1)
ERROR = ("error, %", "error", "top1_error", 100)


@dataclass(frozen=True)
class Curves:
    """What is drawn of a run.

    Attributes:
        name: of the run, unlike that of any other in the picture.
        train: lines of the log.
        validation: lines of the log; none where nothing is held out.
    """

    name: str
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]

    @property
    def label(self) -> str:
        """Name and last validation error."""
        if not self.validation:
            return f"{self.name}: no validation split"
        last = self.validation[-1]
        return f"{self.name}: {100 * last['top1_error']:.2f} % (n={last['n']})"


def draw(runs: Sequence[Path], output: Path) -> None:
    """Draws loss and error of several runs: a colour a run, validation solid, train dotted.

    Test is left out: a picture in which runs are compared is one by which they are chosen. A run
    may still be going.

    Args:
        runs: their directories, in the order of the legend.
        output: of the picture, PNG and PDF.

    Raises:
        InputError: a directory has no log, or nothing is logged yet.
    """
    drawn = [_read(run, name) for run, name in zip(runs, names_of(runs), strict=True)]
    figure = new_picture(10, 4.2 + 0.2 * len(drawn), f"{len(drawn)} runs: validation and train")
    for axes, (what, of_train, of_validation, factor), axis in zip(
        figure.subplots(1, 2), (LOSS, ERROR), (loss_axis, error_axis), strict=True
    ):
        inside: list[float] = []
        for number, one in enumerate(drawn):
            look = _look(number)
            epochs, values = points(one.train, of_train, factor)
            if len(values):
                epochs, values = smoothing(epochs, values)
                axes.plot(epochs, values, **(look | {"linestyle": ":"}), linewidth=1)
                inside += values.tolist()
            epochs, values = points(one.validation, of_validation, factor)
            axes.plot(epochs, values, **look, marker=marker_of(len(values)), markersize=4)
            inside += values.tolist()
        axis(inside).put_on(axes)
        axes.set_xlim(left=0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.grid(alpha=0.3)
    legend_below(figure, _handles(drawn), columns=2)
    save(figure, output)


def names_of(runs: Sequence[Path]) -> list[str]:
    """Returns the shortest ends of the paths by which runs are told apart."""
    parts = [Path(run).resolve().parts for run in runs]
    longest = max((len(one) for one in parts), default=1)
    for length in range(1, longest + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(set(parts)):
            return names
    return ["/".join(one) for one in parts]


def _read(run: Path, name: str) -> Curves:
    path = Path(run) / "metrics.jsonl"
    lines = read_metrics(path)
    if not lines:
        raise InputError(f"{path}: nothing is logged there; a run directory is needed")
    by_kind = {k: [one for one in lines if one["kind"] == k] for k in ("train", "validation")}
    return Curves(name, by_kind["train"], by_kind["validation"])


def _handles(drawn: Sequence[Curves]) -> list[Line2D]:
    handles = [Line2D([], [], **_look(number), label=one.label) for number, one in enumerate(drawn)]
    if any(one.validation for one in drawn):
        told = "solid: validation, its last error with the name"
        handles.append(Line2D([], [], color="black", label=told))
    told = "dotted: train batches, smoothed"
    return [*handles, Line2D([], [], color="black", linestyle=":", label=told)]


def _look(number: int) -> dict[str, Any]:
    """Colour and dashes of a run: a second round through the colours has dashes of its own."""
    dashes = DASHES[number // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": dashes}
