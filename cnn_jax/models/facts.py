"""What is published of every network here: counts, operations, errors, and where they stand.

The figures are in `published_facts.json`, one object for each network of the literature. Parameters
and multiply-accumulates are those of the published layer table at its input size: without running
statistics, biases or additions counted as operations, and without auxiliary heads unless the name
says so. Errors are in percent, as printed; `status` is `unverified` where the figure could not be
read at its source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("published_facts.json")


@dataclass(frozen=True)
class Fact:
    """One published network.

    Attributes:
        reference_id: its name here.
        model: key of `MODELS`.
        kwargs: arguments of the network that make it this one.
        input_size: (H, W, C).
        num_classes: width of its last layer.
        parameters: trained ones, without auxiliary heads.
        parameters_with_aux: with them.
        macs: multiply-accumulates of convolutions and fully connected layers for one image.
        macs_with_aux: with auxiliary heads.
        citation: authors, year, title, venue, arxiv; None where there is no paper.
        published_results: split, protocol, top1_error and top5_error in percent, table, status.
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
    published_results: tuple[dict[str, Any], ...]
    note: str = ""

    def builder_arguments(self) -> dict[str, Any]:
        """Returns `kwargs` as the network takes them."""
        return {k: tuple(v) if isinstance(v, list) else v for k, v in self.kwargs.items()}


@cache
def facts() -> dict[str, Fact]:
    """Returns every published network by its `reference_id`."""
    found = {}
    for entry in json.loads(FILE.read_text(encoding="utf-8")):
        size, results = tuple(entry.pop("input_size")), tuple(entry.pop("published_results"))
        fact = Fact(input_size=size, published_results=results, **entry)
        found[fact.reference_id] = fact
    return found
