"""Every command that the program prints is one that it takes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.config import schema
from cnn_jax.config.arguments import REGISTRIES, arguments, builder_field
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from cnn_jax.storage.run_directory import read_json
from tests.binaries import run
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


WRONG = (None, -1, 10**12, "no such word", (1,))


def problems_after(config: Any, change: Callable[[Any], Any]) -> list[str]:
    try:
        validate(change(config))
    except InputError as error:
        return error.problems
    return []


def places() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every key, and every kind of argument of every section with a builder that has it."""
    for section, keys in schema.SCHEMA.items():
        yield from ((f"{section}.{name}", {}) for name in keys)
    seen = set()
    for section in REGISTRIES:
        for builder, accepted in arguments(section).items():
            for name, argument in accepted.items():
                if (section, repr(argument)) not in seen:
                    seen.add((section, repr(argument)))
                    builder_of = {f"{section}.{builder_field(section)}": builder}
                    yield f"{section}.kwargs.{name}", builder_of


@pytest.mark.slow
def test_the_override_that_a_message_names_mends() -> None:
    """For every key, and every kind of argument, with wrong values of every kind."""
    mended = 0
    for path, chosen in places():
        base = changed(schema.base_config(), chosen)
        before = problems_after(base, lambda config: config)
        for value in WRONG:
            for message in problems_after(base, lambda c, p=path, v=value: changed(c, {p: v})):
                override = override_in(message)
                if message in before:
                    continue
                if override is None:
                    assert "as in" not in message or path.endswith("kwargs"), message
                    continue
                after = problems_after(base, lambda c, o=override: overridden(c, [o]))
                assert not any(override[0] in line for line in after), (message, after)
                mended += 1
    assert mended > 300


# What cannot be together: the override takes the whole of it back.
TOGETHER: list[dict[str, Any]] = [
    {"data.validation_folds": 1},
    {"data.validation_folds": 5, "data.validation_fold": 5},
    {"data.shift_form": "whole", "data.shift_pixels": 1.5},
    {"train.batch_size": 128, "train.accumulation_steps": 3},
    {"train.epochs": 2.0, "schedule.warmup_epochs": 3.0},
    {"schedule.name": "step"},
    {"optim.name": "adamw", "optim.weight_decay_form": "l2_per_batch"},
    {"parallel.mode": "pmap", "parallel.shard_parameters": True},
    {"init_from.workdir": "a", "init_from.weights": "b"},
    {"init_from.layers": "C1*"},
    {"train.batch_norm_scope": "virtual", "train.batch_size": 40},
    {
        **{"distributed.coordinator": "localhost:1", "distributed.processes": 2},
        **{"distributed.process_id": 2},
    },
    {
        **{"distributed.coordinator": "localhost", "distributed.processes": 2},
        **{"distributed.process_id": 0},
    },
]


@pytest.mark.parametrize("changes", TOGETHER, ids=lambda changes: next(iter(changes)))
def test_the_override_mends_what_cannot_be_together(changes: dict[str, Any]) -> None:
    config = changed(schema.base_config(), changes)
    (message,) = problems_after(config, lambda config: config)
    override = override_in(message)
    assert override is not None, message
    assert problems_after(config, lambda c: overridden(c, [override])) == []


@pytest.mark.slow
def test_the_command_in_which_a_search_ends(tmp_path: Path) -> None:
    """It trains in a directory of its own, as long as the best trial was trained."""
    plan = tmp_path / "plan.py"
    plan.write_text(
        "from cnn_jax.config import schema\n\ndef get_config():\n"
        "    search = schema.base_search()\n    search.base = 'configs/smoke.py'\n"
        "    search.ranges = {'optim.learning_rate': schema.LogUniform(1e-3, 1e-1)}\n"
        "    search.stages = (schema.Stage(trials=2, epochs=1.0, kept=1),)\n    return search\n"
    )
    small = ["--config.data.kwargs.train=64", "--config.data.kwargs.test=16"]
    small += ["--config.train.batch_size=16", "--config.evaluation.batch_size=16"]
    done = run("search", f"--config={plan}", f"--workdir={tmp_path}/run", *small)
    assert done.returncode == 0, done.stderr
    (words,) = commands_in(done.stdout)
    assert fault(words) == "" and f"--workdir={tmp_path}/run/best" in words
    done = run(words[0].removeprefix("experiments."), *words[1:])
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "run" / "best" / "result.json")["epoch"] < 1.5
