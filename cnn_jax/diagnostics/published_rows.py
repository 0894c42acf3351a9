"""Which printed errors a config repeats: the lines of `models/published_facts.json`, one a metric.

A line names the configs that repeat it. Its error is compared with a measured one where the data
and the protocol of evaluation agree too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cnn_jax.evaluation.protocols import PROTOCOLS
from cnn_jax.models.facts import METRICS, Result, Spread, facts

CENTRE = "centre"
NEED_SCALES = ("grid", "dense")  # protocols that cannot be repeated unless their scales are known


class Shown(NamedTuple):
    """How the images of an evaluation are shown.

    Attributes:
        protocol: a key of `evaluation.protocols.PROTOCOLS`, or other words where it has none.
        scales: shorter sides, where the protocol has any.
    """

    protocol: str
    scales: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.protocol} at {', '.join(map(str, self.scales))}" if self.scales else self[0]

    @property
    def measurable(self) -> bool:
        """Whether it can be repeated here."""
        return self.protocol in PROTOCOLS and (
            self.protocol not in NEED_SCALES or self.scales != ()
        )


@dataclass(frozen=True)
class PublishedRow:
    """One printed error.

    Attributes:
        reference_id: of the published network.
        metric: `top1` or `top5`.
        result: the line in which it stands.
    """

    reference_id: str
    metric: str
    result: Result

    @property
    def name(self) -> str:
        """A name that no other row has."""
        return "/".join((self.reference_id, self.result.split, self.result.protocol, self.metric))

    @property
    def printed(self) -> str:
        """The figure as printed, percent."""
        return self.result.printed(self.metric)

    @property
    def error(self) -> float | None:
        """The error as a fraction; None where a bound is printed."""
        percent = self.result.error(self.metric)
        return None if percent is None else percent / 100

    @property
    def spread(self) -> Spread | None:
        """Mean and standard deviation over runs, percent, where they are printed."""
        return self.result.spread if self.metric == "top1" else None

    @property
    def shown(self) -> Shown:
        """How the images were shown."""
        return Shown(self.result.evaluation, self.result.scales)


def rows_of(reference_id: str) -> list[PublishedRow]:
    """Returns all printed errors of a published network, one a metric."""
    return [
        PublishedRow(reference_id, metric, result)
        for result in facts()[reference_id].published_results
        for metric in METRICS
        if result.printed(metric)
    ]


def all_rows() -> Iterator[PublishedRow]:
    """Yields every printed error."""
    for reference_id in facts():
        yield from rows_of(reference_id)


def rows_for(recipe: str, dataset: str) -> list[PublishedRow]:
    """Returns the printed errors that a config repeats.

    Args:
        recipe: as `recipe_of` names it.
        dataset: its data, as TFDS names it.
    """
    name = dataset.partition("/")[0]
    return [
        row for row in all_rows() if recipe in row.result.recipes and row.result.dataset == name
    ]


def why_none(recipe: str, dataset: str) -> str:
    """Returns why `rows_for` finds no printed error, as a sentence.

    Args:
        recipe: as `recipe_of` names it.
        dataset: the data, as TFDS names it; empty where that is not known.
    """
    rows = [row for row in all_rows() if recipe in row.result.recipes]
    if not rows:
        return "No figure is published for this recipe."
    names = sorted({row.result.dataset for row in rows if row.result.dataset})
    of = f"What is published for this recipe was measured on {' and '.join(names)}"
    if dataset:
        return f"{of}; the data here is {dataset}."
    return (
        f"{of}; which set the data here is nobody says: --config.data.holds={names[0]} does, for "
        "the sources folder and store (of official files those alone count that are as published)."
    )


def recipe_of(config_file: str) -> str:
    """Returns the name of a config's recipe: `imagenet/resnet:50` for `configs/imagenet/resnet.py`.

    Args:
        config_file: as `--config` has it; a bare file means its default word.
    """
    path, _, word = config_file.partition(":")
    file = Path(path)
    word = word or _default_word(file)
    return f"{file.parent.name}/{file.stem}" + (f":{word}" if word else "")


def _default_word(file: Path) -> str:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "get_config" and node.args.defaults:
            return str(ast.literal_eval(node.args.defaults[0]))
    return ""
