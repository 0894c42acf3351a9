"""What is published of every network here: counts, operations, errors, and where they stand.

The figures are in `published_facts.json`, one object for each network of the literature, whose keys
are the fields of `Fact`, with an object for each line of a table of errors, whose keys are those of
`Result`. Parameters and multiply-accumulates are those of the published layer table at its input
size: without running statistics, biases or additions counted as operations, and without auxiliary
heads unless the name says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError, hint

FILE = Path(__file__).with_name("published_facts.json")
PLACE = "cnn_jax/models/published_facts.json"  # as messages name it
METRICS = {"top1": "top-1", "top5": "top-5"}


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over runs, percent, where they are printed.

    Attributes:
        mean: of the errors.
        std: standard deviation of the errors.
        runs: number of runs.
    """

    mean: float
    std: float
    runs: int


@dataclass(frozen=True)
class Result:
    """One line of a published table of errors.

    Attributes:
        split: on which it was measured, in the paper's words.
        protocol: of training and evaluation, in the paper's words.
        table: table or section of the paper in which it stands.
        status: `read`, or `unverified` where the figure could not be read at its source.
        evaluation: how the images were shown: a key of `evaluation.protocols.PROTOCOLS`, or words
            for what is none of them.
        scales: shorter sides of the images, pixels, where the protocol has any and they are known.
        dataset: whose test split the split is here, as TFDS names it; None: of none.
        recipes: the configs that repeat this line: directory, file and word of the config, as in
            `imagenet/resnet:50`.
        top1_error: percent; None where none is printed, or a bound.
        top5_error: percent; None where none is printed.
        top1_printed: as printed, where that is more than the number.
        top5_printed: the same of the top-5 error.
        spread: of the top-1 error.
    """

    split: str
    protocol: str
    table: str
    status: str
    evaluation: str
    scales: tuple[int, ...] = ()
    dataset: str | None = None
    recipes: tuple[str, ...] = ()
    top1_error: float | None = None
    top5_error: float | None = None
    top1_printed: str | None = None
    top5_printed: str | None = None
    spread: Spread | None = None

    def error(self, metric: str) -> float | None:
        """Returns the error in percent; `metric` is a key of `METRICS`."""
        return {"top1": self.top1_error, "top5": self.top5_error}[metric]

    def printed(self, metric: str) -> str:
        """Returns the figure as printed, empty where there is none."""
        printed = {"top1": self.top1_printed, "top5": self.top5_printed}[metric]
        error = self.error(metric)
        return printed or ("" if error is None else str(error))


@dataclass(frozen=True)
class Fact:
    """One published network.

    Attributes:
        reference_id: the name of the network here.
        model: key of `MODELS`.
        kwargs: arguments of the network that make it this one.
        input_size: (H, W, C).
        num_classes: width of its last layer.
        parameters: trained ones, without auxiliary heads.
        parameters_with_aux: trained ones, auxiliary heads counted in.
        macs: multiply-accumulates of convolutions and fully connected layers for one image.
        macs_with_aux: with auxiliary heads.
        citation: authors, year, title, venue, arxiv; None where there is no paper.
        published_results: its lines of the tables of errors.
        recipes_without_figures: the configs that train this network, or a form of it, of which no
            error is published; named as `Result.recipes`.
        note: what has to be known about the figures.
    """

    reference_id: str
    model: str
    kwargs: dict[str, Any]
    input_size: tuple[int, int, int]
    num_classes: int
    parameters: int
    parameters_with_aux: int
    macs: int
    macs_with_aux: int
    citation: dict[str, Any] | None
    published_results: tuple[Result, ...]
    recipes_without_figures: tuple[str, ...] = ()
    note: str = ""

    def builder_arguments(self) -> dict[str, Any]:
        """Returns `kwargs` as the network takes them."""
        return {k: tuple(v) if isinstance(v, list) else v for k, v in self.kwargs.items()}


@cache
def facts() -> dict[str, Fact]:
    """Returns every published network by its `reference_id`.

    Raises:
        InputError: a row of the file lacks a key, or has one that does not exist.
    """
    by_name: dict[str, Fact] = {}
    for row in json.loads(FILE.read_text(encoding="utf-8")):
        fact = _fact(row)
        if fact.reference_id in by_name:
            raise InputError(f"{PLACE}: two rows have the reference_id {fact.reference_id!r}")
        by_name[fact.reference_id] = fact
    return by_name


def published_channels(model: str) -> set[int]:
    """Returns the channels of the images that the published forms of a network take.

    Args:
        model: key of `MODELS`; one of which nothing is published gives none.
    """
    return {fact.input_size[2] for fact in facts().values() if fact.model == model}


def _fact(row: dict[str, Any]) -> Fact:
    name = f"row {row.get('reference_id', row.get('model', '?'))!r}"
    _check(name, Fact, row)
    results = []
    for result in row["published_results"]:
        _check(f"{name}, published_results", Result, result)
        spread = result.get("spread")
        if spread is not None:
            _check(f"{name}, spread", Spread, spread)
            spread = Spread(**spread)
        results.append(Result(**_tuples(result, "scales", "recipes") | {"spread": spread}))
    given = _tuples(row, "input_size", "recipes_without_figures")
    return Fact(**given | {"published_results": tuple(results)})


def _check(name: str, kind: type, given: Mapping[str, Any]) -> None:
    known = {field.name: field.default is MISSING for field in fields(kind)}
    missing = [
        f"{key!r} is missing" for key, needed in known.items() if needed and key not in given
    ]
    unknown = [f"{key!r} is unknown{hint(key, known)}" for key in given if key not in known]
    if missing or unknown:
        raise InputError(f"{PLACE}: {name}: {', '.join(missing + unknown)}")


def _tuples(given: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: tuple(value) if key in keys else value for key, value in given.items()}
