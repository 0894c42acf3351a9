"""A key that does not exist: what was probably meant, and the override that sets it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from cnn_jax.config.arguments import REGISTRIES, Argument, arguments
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import hint, nearest
from cnn_jax.config.values import Key, text_of

# How others call them: the last part of a dotted key, in small letters -> the key.
SYNONYMS = {
    "accumulation": "train.accumulation_steps",
    "architecture": "model.name",
    "augment": "data.flip",
    "batch": "train.batch_size",
    "batch_size": "train.batch_size",
    "batchsize": "train.batch_size",
    "bs": "train.batch_size",
    "clip": "optim.clip_norm",
    "data_dir": "data.directory",
    "dataset": "data.source",
    "dropout": "model.kwargs.dropout_rate",
    "dropout_rate": "model.kwargs.dropout_rate",
    "dtype": "precision.compute",
    "ema": "optim.averaging",
    "epoch": "train.epochs",
    "gpus": "parallel.devices",
    "grad_clip": "optim.clip_norm",
    "gradient_clipping": "optim.clip_norm",
    "init": "model.kwargs.kernel_init",
    "l2": "optim.weight_decay",
    "learningrate": "optim.learning_rate",
    "loss_function": "train.loss",
    "lr": "optim.learning_rate",
    "lr_schedule": "schedule.name",
    "minibatch": "train.batch_size",
    "network": "model.name",
    "normalization": "data.normalisation",
    "normalize": "data.normalisation",
    "num_epochs": "train.epochs",
    "num_workers": "data.workers",
    "optimizer": "optim.name",
    "optimiser": "optim.name",
    "rate": "optim.learning_rate",
    "scheduler": "schedule.name",
    "smoothing": "train.label_smoothing",
    "warmup": "schedule.warmup_epochs",
    "wd": "optim.weight_decay",
}


def unknown_key(path: str) -> str:
    """Returns the sentence about a key or section that does not exist.

    A key of that name in another section comes first, or what others call so; then the nearest one
    in the section.

    Args:
        path: dotted, as `train.lr`.
    """
    section, _, rest = path.partition(".")
    name = (rest or section).rpartition(".")[2]
    if (key := _elsewhere(section, name)) is not None:
        near = key.removeprefix(f"{section}.")
        return f"config.{path} is unknown; did you mean {near!r}{as_in(key)}?"
    if section not in SCHEMA:
        key = None if rest else _near_key(section)
        near = f"; did you mean {key!r}{as_in(key)}?" if key else hint(section, SCHEMA)
        return f"config.{path} is unknown{near}"
    return f"config.{path} is unknown{hint(name, SCHEMA[section])}"


def unknown_name(name: str) -> str:
    """Returns `; did you mean 'train.epochs'?` for the name of a key whose section is not known."""
    key = _elsewhere("", name) or _near_key(name)
    return f"; did you mean {key!r}?" if key else ""


def unknown_argument(path: str, name: str, builder: str, accepted: Mapping[str, Argument]) -> str:
    """Returns the sentence about an argument that a builder does not have.

    Args:
        path: where it stands, as `config.model.kwargs`.
        name: of the argument.
        builder: its name.
        accepted: what the builder takes.
    """
    near, end = nearest(name, accepted), ""
    if near is not None and path.startswith("config."):
        end = as_in(f"{path.removeprefix('config.')}.{near}", example_of(accepted[near]))
    return f"{path}.{name} is not an argument of {builder}{hint(name, accepted)}{end}"


def as_in(path: str, value: Any = None) -> str:
    """Returns `, as in --config.train.epochs=10.0`, with the default if no value is given."""
    value = default_of(path) if value is None else value
    text = f"--config.{path}={text_of(value)}"
    return f", as in {shlex.quote(text)}"


def example_of(argument: Argument) -> Any:
    """Returns a value that an argument may have: its default, unless that is a tuple of nothing."""
    if argument.default != () or argument.values.items is None:
        return argument.default
    return (1,) if argument.values.items.whole else (1.0,)


def default_of(path: str) -> Any:
    """Returns a value that a key, or an argument of a builder, may have: its default if it can."""
    section, name, *rest = path.split(".", 2)
    key = SCHEMA[section][name]
    if rest:
        known = [builder for builder in arguments(section).values() if rest[0] in builder]
        return example_of(known[0][rest[0]]) if known else None
    if not isinstance(key, Key):
        return {}
    return key.default if key.optional in (None, str) else key.low


def _near_key(word: str) -> str | None:
    """Returns the key whose name without its section is nearest, unless a section is nearer."""
    keys = {name: f"{section}.{name}" for section in SCHEMA for name in SCHEMA[section]}
    near = nearest(word, [*keys, *SCHEMA])
    return None if near is None or near in SCHEMA else keys[near]


def _elsewhere(section: str, name: str) -> str | None:
    """Returns an argument of the section, a key that others call so, or one of another section."""
    if section in REGISTRIES and any(name in taken for taken in arguments(section).values()):
        return f"{section}.kwargs.{name}"
    if name.lower() in SYNONYMS:
        return SYNONYMS[name.lower()]
    sections = [other for other, keys in SCHEMA.items() if name in keys and other != section]
    return f"{sections[0]}.{name}" if len(sections) == 1 else None
