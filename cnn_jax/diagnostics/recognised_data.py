"""Which published set the data of a run is, where its source says no name."""

from __future__ import annotations

from typing import NamedTuple

from cnn_jax.config.schema import Config
from cnn_jax.data import known_sets, sources


class Recognised(NamedTuple):
    """What is known of the data of a run.

    Attributes:
        name: of the set, as TFDS calls it; empty: not known.
        partial: in what it is only a part of that set.
        doubts: what else is to be known before its error stands beside a published one.
    """

    name: str = ""
    partial: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


NOTHING_SAID = Recognised()


def recognised(config: Config) -> Recognised:
    """Returns which set a folder or store holds: by `config.data.holds`, or by its test images.

    Args:
        config: validated.

    Raises:
        InputError: the data cannot be read.
    """
    name = sources.dataset_name(config.data)
    if config.data.source not in sources.WITHOUT_NAME or (name and not config.data.holds):
        return Recognised(name)
    dataset = sources.load(config.data)
    if not name:
        found = [known for known in known_sets.like(dataset) if _is(known, dataset)]
        return Recognised(found[0]) if found else NOTHING_SAID
    if lacking := known_sets.lacking(name, dataset):
        return Recognised(name, tuple(f"the data is a part: {text}" for text in lacking))
    published = known_sets.is_published(name, dataset)
    if published:
        return Recognised(name)
    why = (
        f"the test images or labels are not those of {name} as published: their digest is another"
        if published is False
        else f"that the data is {name} is the word of config.data.holds alone"
    )
    return Recognised(name, (), (why,))


def _is(name: str, dataset: sources.Dataset) -> bool:
    return known_sets.is_published(name, dataset) is True
