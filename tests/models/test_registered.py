"""Every network is whole: a class in `MODELS`, a small form, a row of facts, a list of departures.

A message says which file lacks which line.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import MISSING, fields

import pytest

from cnn_jax import models
from cnn_jax.models.departures import departures
from cnn_jax.models.description import variants
from cnn_jax.models.facts import PLACE, Fact, facts
from cnn_jax.models.layer_table import layer_table
from cnn_jax.models.network import Network

ROWS_OF = {name: [f for f in facts().values() if f.model == name] for name in models.MODELS}
KEYS = [field.name for field in fields(Fact) if field.default is MISSING]


def file_of(kind: type[Network]) -> str:
    return kind.__module__.replace(".", "/") + ".py"


def subclasses(kind: type[Network]) -> Iterator[type[Network]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_every_network_of_the_package_is_registered() -> None:
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"cnn_jax.models.{module.name}")
    for kind in subclasses(Network):
        if kind.__module__.startswith("cnn_jax.models.") and not kind.__subclasses__():
            name = kind.__module__.rpartition(".")[2]
            line = f'"{name}": {kind.__name__},'
            assert kind in models.MODELS.values(), (
                f"cnn_jax/models/__init__.py: import {kind.__name__} of {file_of(kind)}, and add "
                f"to MODELS the line\n    {line}"
            )


@pytest.mark.parametrize("name", models.MODELS)
def test_it_has_a_small_form_that_can_be_built(name: str) -> None:
    small = models.small_form(name)
    side = small.image_size or 32
    model = models.build(name, num_classes=10, **dict(small.arguments))
    channels = ROWS_OF[name][0].input_size[2] if ROWS_OF[name] else 3
    counted = sum(row.parameters for row in layer_table(model, (side, side, channels)))
    assert counted < 500_000, (
        f"{file_of(type(model))}: `small` has {counted:,} parameters; a smaller width is needed"
    )


@pytest.mark.parametrize("name", models.MODELS)
def test_it_has_a_row_of_facts(name: str) -> None:
    row = ", ".join(f'"{key}": ' + (f'"{name}"' if key == "model" else "...") for key in KEYS)
    assert ROWS_OF[name], (
        f"{PLACE}: add a row for model {name!r}, with counts of the paper's layer table or by hand:"
        f"\n    {{{row}}}"
    )


def test_every_row_is_of_a_network() -> None:
    for fact in facts().values():
        assert fact.model in models.MODELS, (
            f"{PLACE}: row {fact.reference_id!r}: model {fact.model!r} is not in MODELS of "
            "cnn_jax/models/__init__.py"
        )


@pytest.mark.parametrize("name", [name for name in models.MODELS if ROWS_OF[name]])
def test_its_file_lists_where_it_differs_from_its_paper(name: str) -> None:
    kind, words = models.MODELS[name], variants(name)
    if any(fact.citation for fact in ROWS_OF[name]):
        for word in words or ("",):
            assert departures(kind, word, words), (
                f"{file_of(kind)}: its docstring needs a list that begins with\n"
                f"    Differs from the paper:\n"
                f"or a sentence that says that it does not{f' (variant {word!r})' if word else ''}"
            )
