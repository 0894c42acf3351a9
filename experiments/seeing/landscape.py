"""The loss around the network, along two random directions normalised filter by filter.

  python -m experiments.see landscape --workdir=runs/digits-lenet5
  python -m experiments.see landscape --workdir=runs/digits-lenet5 --points=11 --span=2

Li et al. 2018: each filter of a random direction has the norm of the network's filter, and biases
and batch norm stay; so networks whose layers are scaled otherwise can be compared. Every point is
evaluated over all of the split, or with --examples over so many, evenly spread. Two directions of
thousands: what lies along the others is not seen. Leaves landscape.png, .pdf and .json.
"""

from __future__ import annotations

from collections.abc import Mapping

from absl import flags

from cnn_jax.config.problems import InputError
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import DATA, SPLIT, Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "split": SPLIT,
    "data_directory": DATA,
    "points": Flag(flags.DEFINE_integer, 21, "along each direction, odd", {"lower_bound": 3}),
    "span": Flag(flags.DEFINE_float, 1.0, "of the grid, in norms of the filters"),
    "examples": Flag(flags.DEFINE_integer, None, "of the split; default: all", {"lower_bound": 1}),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}


def run(asked: Asked) -> None:
    """Evaluates every point, and draws."""
    points, span = asked.flag("points"), asked.flag("span")
    if points % 2 == 0:
        raise InputError(f"--points={points}: an odd number is needed: the network is the middle")
    if span <= 0:
        raise InputError(f"--span={span:g}: must be above 0")
    restored = asked.network()
    import numpy as np

    from cnn_jax.inference.seen_data import seen_split
    from cnn_jax.report.landscape_picture import draw_landscape
    from cnn_jax.report.plotted import Plotted
    from cnn_jax.seeing.landscape import landscape

    subject = asked.subject(restored)
    split = seen_split(restored, asked.flag("split"))
    if (most := asked.flag("examples")) is not None:
        few = min(most, len(split))
        split = split.take(np.unique(np.linspace(0, len(split) - 1, few).round().astype(int)))
    with ProgressLines() as progress:
        found = landscape(
            subject.model,
            subject.variables,
            subject.preprocessing,
            split,
            points,
            span,
            asked.flag("seed"),
            min(256, len(split)),
            lambda *of: progress("points", *of),
        )
    title = f"{subject.title}: loss on {asked.flag('split')}, n={found.n:,} at each point"
    picture = Plotted(title, lambda text, path: draw_landscape(found, text, path))
    numbers = {"split": asked.flag("split"), **found.to_tree()}
    asked.save(picture, "landscape", numbers, restored)
