"""Every command that the program prints is one that it takes."""

import math
from typing import Any

import pytest

from cnn_jax.config import schema
from cnn_jax.config.arguments import REGISTRIES, arguments, builder_field, fill_defaults
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from cnn_jax.config.values import Key
from tests.printed_commands import GAP, ROOT, commands_in, fault, override_in, texts_of

SOURCES = [p for room in ("cnn_jax", "experiments", "configs") for p in (ROOT / room).rglob("*.py")]


def test_every_command_in_the_text_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help, messages and reports; a binary that is filled in is known when it runs."""
    monkeypatch.chdir(ROOT)
    commands = [
        (source, words)
        for source in SOURCES
        for text in texts_of(source)
        for words in commands_in(text)
    ]
    faults = [
        f"{source.relative_to(ROOT)}: {' '.join(words)}: {problem}"
        for source, words in commands
        if GAP not in words[0] and (problem := fault(words))
    ]
    assert not faults, "\n".join(faults)
    assert len(commands) > 60 and sum(GAP in words[0] for _, words in commands) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("python -m experiments.trian --config=configs/smoke.py", "there is no experiments.trian"),
        ("python -m experiments.train --workdir=x", "--config is missing"),
        ("run python -m experiments.train --config=FILE --worktop=x", "--worktop is no flag"),
        ("`python -m experiments.train --config=configs/smoke.py --config.lr=1`", "optim.learning"),
        ("python -m experiments.evaluate --workdir=x --split=tset.", "--split=tset"),
        ("python -m experiments.checkpoint export --workdir=x --output=y.npz", ""),
        ("python -m experiments.evaluate --set='scales=(256, 384)' --workdir=x", ""),
    ],
)
def test_a_command_that_is_refused_is_found(
    text: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = commands_in(text)
    assert problem in fault(words) and bool(problem) == bool(fault(words))


def wrong_values(default: Any) -> list[Any]:
    kinds = [None, True, -1, math.nan, 10**12, 2.5, "no such word", (1,), {"a": 1}, [], object]
    return [value for value in kinds if type(value) is not type(default) or value != default]


def told(path: str, value: Any, **others: Any) -> list[str]:
    """Returns the problems of a config with one value, after others."""
    config = fill_defaults(changed(schema.base_config(), others))
    try:
        validate(changed(config, {path: value}))
    except InputError as error:
        return error.problems
    return []


def test_the_override_that_a_message_names_mends() -> None:
    """For every key, and every argument of every builder, of every kind of wrong value."""
    paths: list[tuple[str, Any, dict[str, Any]]] = []
    for section, keys in schema.SCHEMA.items():
        for name, key in keys.items():
            paths.append((f"{section}.{name}", key.default if isinstance(key, Key) else {}, {}))
    for section in REGISTRIES:
        for builder, accepted in arguments(section).items():
            chosen = {f"{section}.{builder_field(section)}": builder}
            paths += [(f"{section}.kwargs.{n}", a.default, chosen) for n, a in accepted.items()]
    mended = 0
    for path, default, chosen in paths:
        for value in wrong_values(default):
            for message in told(path, value, **chosen):
                override = override_in(message)
                if override is None:
                    assert "as in" not in message or path.endswith("kwargs"), message
                    continue
                base = fill_defaults(changed(schema.base_config(), chosen))
                key, text = override
                still = problems_after(base, key, text)
                assert not any(key in line for line in still), (message, still)
                mended += 1
    assert mended > 1000


def problems_after(config: Any, key: str, text: str) -> list[str]:
    try:
        validate(overridden(config, [(key, text)]))
    except InputError as error:
        return error.problems
    return []
