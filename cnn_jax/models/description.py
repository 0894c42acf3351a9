"""All that can be said of a network without computing it: layers, totals, and what is published."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from math import prod
from multiprocessing import get_context
from typing import Any

import jax
import jax.numpy as jnp

from cnn_jax import models
from cnn_jax.config.arguments import arguments
from cnn_jax.config.problems import InputError, hint
from cnn_jax.models.departures import departures
from cnn_jax.models.facts import Fact, facts
from cnn_jax.models.layer_table import Row, layer_table

SMALL_IMAGE = (32, 32, 3)  # for a network of which nothing is published


@dataclass(frozen=True)
class Description:
    """What a network is.

    Attributes:
        model: key of `MODELS`.
        kwargs: arguments that make it this one.
        network: the network itself.
        input_size: (H, W, C).
        rows: the layers, in the order of `layer_table`.
        fact: the published network that it is, or None.
        citation: of its paper, or None.
        departures: the paragraphs of its file on what differs from the paper, line by line.
    """

    model: str
    kwargs: dict[str, Any]
    network: models.Network
    input_size: tuple[int, int, int]
    rows: tuple[Row, ...]
    fact: Fact | None
    citation: dict[str, Any] | None
    departures: list[str]

    @property
    def label(self) -> str:
        """A name as one would say it: `alexnet variant=paper`."""
        return f"{self.model} {arguments_text(self.kwargs)}".rstrip()

    def total(self, count: str, auxiliary: bool = False) -> int:
        """Returns the sum of `parameters` or `macs`, with or without the auxiliary heads."""
        return sum(getattr(row, count) for row in self.rows if auxiliary or not row.auxiliary)

    def activation_bytes(self, batch_size: int) -> int:
        """Returns the bytes of the outputs of all layers listed, for a batch in training."""
        numbers = sum(prod(row.output) for row in self.rows)
        return batch_size * numbers * jnp.dtype(self.network.dtype).itemsize

    def to_tree(self) -> dict[str, Any]:
        """Returns the description as JSON holds it."""
        counts = {
            f"{count}{'_with_aux' if auxiliary else ''}": self.total(count, auxiliary)
            for count in ("parameters", "macs")
            for auxiliary in (False, True)
        }
        return {
            "reference_id": self.fact.reference_id if self.fact else None,
            "model": self.model,
            "kwargs": self.kwargs,
            "input_size": self.input_size,
            "num_classes": self.network.num_classes,
            **counts,
            "layers": [asdict(row) for row in self.rows],
        }


def describe(
    model: str,
    kwargs: Mapping[str, Any],
    input_size: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    dtype: str = "float32",
) -> Description:
    """Describes a network.

    Args:
        model: key of `MODELS`.
        kwargs: arguments of the network.
        input_size: (H, W, C); None: that of the published network, or of its nearest relative.
        num_classes: width of the last layer; None: as `input_size`.
        dtype: of the computation.

    Raises:
        InputError: there is no such network or argument, or the image is too small for it.
    """
    kwargs = {k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items()}
    fact = published(model, kwargs)
    kin = fact or next((fact for fact in facts().values() if fact.model == model), None)
    size = input_size or (kin.input_size if kin else SMALL_IMAGE)
    classes = num_classes or (kin.num_classes if kin else 10)
    network = models.build(model, num_classes=classes, dtype=dtype, **kwargs)
    try:
        rows = layer_table(network, size)
    except ValueError as error:
        raise InputError(f"{model} at {'x'.join(map(str, size))}: {error}") from error
    if fact and (size, classes) != (fact.input_size, fact.num_classes):
        fact = None  # at another size it is the same design, but not the published network
    citation = kin.citation if kin else None
    said = departures(type(network), getattr(network, "variant", ""), variants(model))
    return Description(model, kwargs, network, size, tuple(rows), fact, citation, said)


def describe_published(reference_id: str, **options: Any) -> Description:
    """Describes a published network.

    Args:
        reference_id: a key of `facts()`.
        **options: `input_size`, `num_classes` and `dtype` of `describe`.

    Raises:
        InputError: there is none of that name.
    """
    if reference_id not in facts():
        raise InputError(f"reference_id {reference_id!r} is unknown{hint(reference_id, facts())}")
    fact = facts()[reference_id]
    return describe(fact.model, fact.builder_arguments(), **options)


def describe_all(report: Callable[[int, int], None] = lambda *_: None) -> list[Description]:
    """Describes every published network, on two processor cores.

    Args:
        report: is told how many of all are done.
    """
    # Processes, for tracing holds the interpreter; fresh ones, for jax has threads.
    with ProcessPoolExecutor(2, get_context("spawn"), _stay_on_cpu) as pool:
        descriptions = []
        for description in pool.map(describe_published, facts()):
            descriptions.append(description)
            report(len(descriptions), len(facts()))
        return descriptions


def _stay_on_cpu() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    jax.config.update("jax_platforms", "cpu")


def published(model: str, kwargs: Mapping[str, Any]) -> Fact | None:
    """Returns the published network that these arguments make, defaults counted in."""
    defaults = {k: v.default for k, v in arguments("model").get(model, {}).items()}
    wanted = defaults | dict(kwargs)
    for fact in facts().values():
        if fact.model == model and defaults | fact.builder_arguments() == wanted:
            return fact
    return None


def arguments_text(kwargs: Mapping[str, Any]) -> str:
    """Returns arguments as one gives them on a command line."""
    texts = {
        k: f"[{','.join(map(str, v))}]" for k, v in kwargs.items() if isinstance(v, list | tuple)
    }
    return " ".join(f"{k}={texts.get(k, v)}" for k, v in kwargs.items())


def variants(model: str) -> tuple[str, ...]:
    """Returns the words that `variant` of a network may hold; empty where it has none."""
    argument = arguments("model").get(model, {}).get("variant")
    return (argument.values.words or ()) if argument else ()
