"""The help tells every key, and every name that a section may have."""

import inspect
import re

import pytest

from cnn_jax.config.arguments import REGISTRIES, arguments, initialisers, summaries
from cnn_jax.config.choices import INITIALIZERS, SECTIONS, describe
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.fixed import INITIALIZERS as FUNCTIONS


def test_the_help_lists_every_key_and_every_choice() -> None:
    text = describe()
    assert list(SECTIONS) == list(SCHEMA)
    for section, keys in SCHEMA.items():
        assert all(f"--config.{section}.{name}=" in text for name in keys)
    for section in REGISTRIES:
        for name, summary in summaries(section).items():
            assert summary and not summary.startswith("Returns"), f"{section}: {name}"
            assert re.search(rf"^    {name} .*{re.escape(summary)}$", text, re.MULTILINE)
            assert all(f"{argument}" in text for argument in arguments(section)[name])


def test_one_section_is_a_part_of_the_whole() -> None:
    whole = describe()
    for section in [*SECTIONS, INITIALIZERS]:
        part = describe(section)
        assert part in whole and part.startswith(f"{section}: ")
    assert describe("optim.momentum") == describe("optimizer") == describe("optim")
    assert "beta_2=0.999" in describe("optim") and "boundaries_epochs" in describe("schedule")
    assert "variant=modern [modern | 1998" in describe("model")
    with pytest.raises(InputError, match="did you mean 'optim'"):
        describe("optimus")


def test_initialisers_are_read_as_python_has_them() -> None:
    taken, about = initialisers()
    assert list(taken) == list(FUNCTIONS) == list(about)
    for name, function in FUNCTIONS.items():
        parameters = inspect.signature(function).parameters
        assert list(taken[name]) == list(parameters)
        for word, argument in taken[name].items():
            default = parameters[word].default
            assert argument.required == (default is inspect.Parameter.empty)
            assert argument.required or argument.default == default
