"""Whether a run goes on with the data that it began with.

Where the data lies is no part of the config hash: it may be copied. What is in it decides the order
of the examples and the preprocessing, so a checkpoint keeps both and a resume compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.training.run import Run

SPLITS = ("train", "validation", "test")
TOLERANCE = 1e-6  # of means and deviations in [0, 1]: another machine may add up otherwise


def examples_of(dataset: Dataset) -> dict[str, int]:
    """Returns how many examples each split has, as a checkpoint keeps it."""
    return {name: len(getattr(dataset, name)) for name in SPLITS}


def check_same_data(record: Mapping[str, Any], run: Run) -> None:
    """Compares the data of a checkpoint with that of the run that goes on from it.

    Args:
        record: of the checkpoint; an earlier version's says less.
        run: its parts.

    Raises:
        InputError: they differ.
    """
    preprocessing = run.preprocessing
    had, has = record.get("examples", {}), examples_of(run.dataset)
    differences = [
        f"{name} had {had[name]:,} examples, now {has[name]:,}"
        for name in has
        if had.get(name, has[name]) != has[name]
    ]
    then = Preprocessing.from_tree(record["preprocessing"])
    if then.class_names != preprocessing.class_names:
        differences.append(_classes(then.class_names, preprocessing.class_names))
    if _shape(then) != _shape(preprocessing):
        differences.append(f"images were {_shape(then)}, now {_shape(preprocessing)}")
    elif not (_close(then.centre, preprocessing.centre) and _close(then.std, preprocessing.std)):
        differences.append(
            f"mean and deviation were {_rounded(then.mean)} and {_rounded(then.std)}, now "
            f"{_rounded(preprocessing.mean)} and {_rounded(preprocessing.std)}"
        )
    prints = record.get("fingerprint"), sources.fingerprint(run.config.data)
    if None not in prints and prints[0] != prints[1]:
        differences.append(f"the manifest's fingerprint was {prints[0]}, now {prints[1]}")
    if differences:
        raise InputError(
            "the data is not that with which the run began:\n  "
            + "\n  ".join(differences)
            + "\nTo continue give its data; to train on this one choose another --workdir."
        )


def _classes(then: tuple[str, ...], now: tuple[str, ...]) -> str:
    first = next((i for i, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), None)
    named = "" if first is None else f"; class {first} was {then[first]!r}, now {now[first]!r}"
    return f"there were {len(then)} classes, now {len(now)}{named}"


def _shape(record: Preprocessing) -> str:
    return f"{record.height}x{record.width}x{record.channels}"


def _close(one: Any, other: Any) -> bool:
    first, second = np.asarray(one), np.asarray(other)
    return first.shape == second.shape and np.allclose(first, second, rtol=0, atol=TOLERANCE)


def _rounded(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"
