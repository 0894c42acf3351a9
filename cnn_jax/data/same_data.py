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
from cnn_jax.data.layout import normal
from cnn_jax.data.preprocessing import Preprocessing

SPLITS = ("train", "validation", "test")
TOLERANCE = 1e-6  # of means and deviations in [0, 1]: another machine may add up otherwise


def data_record(dataset: Dataset, preprocessing: Preprocessing, data: Any) -> dict[str, Any]:
    """Returns what a run, and each checkpoint of it, says of its data.

    Args:
        dataset: its splits, as the run sees them.
        preprocessing: of its images.
        data: `config.data`, for the fingerprint of a prepared set; that of a folder is told by its
            source.
    """
    return {
        "preprocessing": preprocessing.to_tree(),
        "image_shape": list(dataset.image_shape),
        "examples": {name: len(getattr(dataset, name)) for name in SPLITS},
        "fingerprint": dataset.fingerprint or sources.fingerprint(data),
    }


def data_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns what differs between two records of data, a line each.

    Args:
        then: the record of a checkpoint; an earlier version's says less.
        now: that of the run that would go on from it.
    """
    differences = _counts(then, now)
    old, new = (Preprocessing.from_tree(record["preprocessing"]) for record in (then, now))
    if [*map(normal, old.class_names)] != [*map(normal, new.class_names)]:
        differences.append(_classes(old.class_names, new.class_names))
    if _shape(old) != _shape(new):
        differences.append(f"images were {_shape(old)}, now {_shape(new)}")
    elif not (_close(old.centre, new.centre) and _close(old.std, new.std)):
        differences.append(
            f"mean and deviation were {_rounded(old.mean)} and {_rounded(old.std)}, now "
            f"{_rounded(new.mean)} and {_rounded(new.std)}"
        )
    return differences + _prints(then, now)


def other_examples(then: Mapping[str, Any], dataset: Dataset, data: Any) -> list[str]:
    """Returns in what a data set is not the one that a checkpoint was made with, a line each.

    An evaluation may be of other images by intention, so it is told and not refused.

    Args:
        then: the record of a checkpoint; an earlier version's says less.
        dataset: that is evaluated on.
        data: its `config.data`.
    """
    now = {
        "examples": {name: len(getattr(dataset, name)) for name in SPLITS},
        "fingerprint": dataset.fingerprint or sources.fingerprint(data),
    }
    return _counts(then, now) + _prints(then, now)


def check_same_data(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Compares the data of a checkpoint with that of the run that goes on from it.

    Args:
        then: as `data_differences`.
        now: as `data_differences`.

    Raises:
        InputError: they differ.
    """
    if differences := data_differences(then, now):
        raise InputError(
            "the data is not that with which the run began:\n  "
            + "\n  ".join(differences)
            + "\nTo continue give its data; to train on this one choose another --workdir."
        )


def _counts(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    had, has = then.get("examples", {}), now["examples"]
    return [
        f"{name} had {had[name]:,} examples, now {has[name]:,}"
        for name in has
        if had.get(name, has[name]) != has[name]
    ]


def _prints(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    prints = then.get("fingerprint"), now["fingerprint"]
    if None in prints or prints[0] == prints[1]:
        return []
    return [
        f"the fingerprint was {prints[0]}, now {prints[1]}: of a prepared set that in its "
        "manifest, of a folder one over names, sizes and classes of the files"
    ]


def _classes(then: tuple[str, ...], now: tuple[str, ...]) -> str:
    pairs = enumerate(zip(map(normal, then), map(normal, now), strict=False))
    first = next((i for i, (a, b) in pairs if a != b), None)
    named = "" if first is None else f"; class {first} was {then[first]!r}, now {now[first]!r}"
    return f"there were {len(then)} classes, now {len(now)}{named}"


def _shape(record: Preprocessing) -> str:
    return f"{record.height}x{record.width}x{record.channels}"


def _close(one: Any, other: Any) -> bool:
    first, second = np.asarray(one), np.asarray(other)
    return first.shape == second.shape and np.allclose(first, second, rtol=0, atol=TOLERANCE)


def _rounded(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"
