"""What a config may choose from: its keys, and what each section can name, for `--help`.

Builders and initialisers are read with ast, their lines from their docstrings: no jax is imported.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from cnn_jax.config.aligned import aligned
from cnn_jax.config.arguments import REGISTRIES, Argument, arguments, initialisers, summaries
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.unknown_keys import SYNONYMS
from cnn_jax.config.values import Key, text_of

INITIALIZERS = "initializers"
SECTIONS = {
    "seed": "where the random numbers begin",
    "data": "images, their split, normalisation and augmentation",
    "train_crop": "what of an image is seen in training",
    "test_crop": "what of an image is seen in evaluation",
    "colour": "random change of colours in training",
    "model": "the network",
    "data_dependent_init": "first weights that are set by a batch",
    "init_from": "first weights that are those of another run",
    "optim": "optimizer, weight decay, multipliers, averages",
    "schedule": "the learning rate over the run",
    "train": "length, batch, loss, memory",
    "parallel": "devices",
    "distributed": "several processes as one run",
    "precision": "dtypes",
    "evaluation": "how often, and how",
    "checkpoint": "how often, and how many",
    "guard": "when a run is stopped",
    "log": "what is written while it trains",
}
WIDTH = 100


def describe(topic: str = "") -> str:
    """Returns the keys of the config by section, and what each section may name.

    Args:
        topic: one section, or `initializers`; empty: all of them.

    Raises:
        InputError: there is no such section.
    """
    if topic:
        return _described(_section_of(topic))
    return "\n\n".join(_described(section) for section in [*SECTIONS, INITIALIZERS])


def _section_of(topic: str) -> str:
    """Returns the section that a word means: its name, one of its keys, or a synonym of one."""
    known = [*SCHEMA, INITIALIZERS]
    word = SYNONYMS.get(topic.lower(), topic).partition(".")[0]
    if topic in ("initialisers", "kernel_init", "bias_init"):
        word = INITIALIZERS
    if word not in known:
        raise InputError(f"--help {topic}: there is no such section{hint(topic, known)}")
    return word


def _described(section: str) -> str:
    if section == INITIALIZERS:
        head = "initializers: words for model.kwargs.kernel_init and model.kwargs.bias_init, as in"
        return "\n".join([f"{head} gaussian(std=0.01)", *_chosen(*initialisers())])
    lines = [f"{section}: {SECTIONS[section]}"]
    for name, key in SCHEMA[section].items():
        default, choices = "{}", ""
        if isinstance(key, Key):
            default = text_of(key.default)
            choices = f" [{' | '.join(key.choices)}]" if key.choices else ""
        lines.append(f"  --config.{section}.{name}={default}")
        lines += _wrapped(f"({key.kind}) {key.meaning}{choices}", 6)
    if section == "test_crop":  # it may name what train_crop may
        return "\n".join([*lines, "  the crops are those of train_crop"])
    if section in REGISTRIES:
        lines += _chosen(arguments(section), summaries(section))
    return "\n".join(lines)


def _chosen(builders: Mapping[str, Mapping[str, Argument]], about: Mapping[str, str]) -> list[str]:
    """Returns a line for each name, and one for its arguments; what all take alike is told once."""
    first, *others = builders.values()
    shared = {
        name: argument
        for name, argument in first.items()
        if others and all(one.get(name) == argument for one in others)
    }
    lines = ["  it names one of:"]
    table = aligned([(name, about[name]) for name in builders])
    for accepted, line in zip(builders.values(), table, strict=True):
        lines.append(f"    {line}")
        own = {word: argument for word, argument in accepted.items() if word not in shared}
        if own:
            lines += _wrapped(", ".join(_argument(*one) for one in own.items()), 8)
    if shared:
        lines.append("    all of them take:")
        lines += _wrapped(", ".join(_argument(*one) for one in shared.items()), 8)
    return lines


def _argument(name: str, argument: Argument) -> str:
    if argument.required:
        return f"{name} ({argument.values.described()})"
    words = argument.values.words or ()
    allowed = f" [{' | '.join([*words, *argument.values.kinds()])}]" if len(words) > 1 else ""
    return f"{name}={text_of(argument.default)}{allowed}"


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    )
