"""The config under which weights out of a file are used: their own, or one that agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ml_collections import ConfigDict

from cnn_jax.config.arguments import arguments, fill_defaults
from cnn_jax.config.problems import InputError
from cnn_jax.config.published_preprocessing import PUBLISHED, Shown
from cnn_jax.config.schema import Config, base_config
from cnn_jax.config.unknown_keys import as_in
from cnn_jax.config.validate import validate
from cnn_jax.transfer.agreement import overrides, preprocessing_differences
from cnn_jax.transfer.guesses import Guess
from cnn_jax.transfer.recognition import ILSVRC_CLASSES, Recognised

NEEDS_CONFIG: Final = "give --config=FILE, as in --config=configs/imagenet/resnet.py:50_v1.5"


def own_config(weights: str, seen: Recognised | Guess | None, directory: str | None) -> Config:
    """Returns the config that the names in a file fix: network, preprocessing and classes.

    Args:
        weights: the file, for messages.
        seen: what it was recognised as, or looks like.
        directory: a folder of images, one sub-folder a class; None: there is no data.

    Raises:
        InputError: the names do not fix both.
    """
    if seen is None:
        raise InputError(
            f"--weights={weights}: no network is recognised by the names in it: {NEEDS_CONFIG}"
        )
    if isinstance(seen, Guess) and not seen.name:
        raise InputError(
            f"--weights={weights} looks like {seen.describe()}, which is none of the networks "
            "here; python -m experiments.describe --all lists them"
        )
    if isinstance(seen, Guess):
        raise InputError(
            f"--weights={weights} looks like {seen.describe()}, and that does not fix how its "
            f"images are cropped and normalised: {NEEDS_CONFIG}"
        )
    config = base_config()
    config.model.name = seen.network
    config.model.kwargs = ConfigDict(dict(seen.kwargs))
    if directory is not None or seen.num_classes != ILSVRC_CLASSES:
        # Grey images are seen as the weights want them, in three channels.
        config.data.source, config.data.kwargs = "folder", ConfigDict({"channels": 3})
        config.data.directory = directory
    else:
        config.data.source = "tfds"
        config.data.kwargs = ConfigDict({"name": "imagenet2012", "test": "validation"})
    config.data.validation_folds = 0
    _show_as(config, PUBLISHED[seen.preprocessing])
    config.train_crop.name, config.train_crop.kwargs = (
        config.test_crop.name,
        config.test_crop.kwargs,
    )
    return validate(fill_defaults(config))


def agreed_config(
    weights: str,
    seen: Recognised | None,
    config: Config,
    preference: str | None,
    say: Callable[[str], None],
) -> Config:
    """Returns a config that agrees with what a file of weights says of itself.

    Pixels that are normalised otherwise than the weights were published with give plausible,
    wrong numbers, and are refused. Other crops are only told.

    Args:
        weights: the file, for messages.
        seen: what it was recognised as; None: nothing is known, and the config counts.
        config: validated.
        preference: whose preprocessing counts where they differ, `weights` or `config`; None: not
            said.
        say: is told, a line each, what differs.

    Raises:
        InputError: the config has another network, or normalises otherwise and nothing is said
            of whose preprocessing counts.
    """
    if seen is None:
        return config
    problems = _network_problems(weights, seen, config)
    differences = preprocessing_differences(seen, config)
    if preference is None and _is_refused(seen, config):
        problems.append(_refusal(weights, seen, config, differences))
    if problems:
        raise InputError(problems)
    if differences and preference == "weights":
        changed = ConfigDict(config.to_dict())
        _show_as(changed, PUBLISHED[seen.preprocessing])
        say("; ".join(differences) + ": as published (--preprocessing=weights)")
        return validate(fill_defaults(changed))
    if differences:
        say("; ".join(differences) + ": as in the config")
    return config


def _is_refused(seen: Recognised, config: Config) -> bool:
    if not seen.as_published or config.model.name != seen.network:
        return False
    return bool(config.data.normalisation != PUBLISHED[seen.preprocessing].normalisation)


def _refusal(weights: str, seen: Recognised, config: Config, differences: list[str]) -> str:
    mends = " ".join(overrides(PUBLISHED[seen.preprocessing], config))
    return (
        f"--weights={weights}: {'; '.join(differences)}. Images are shown as published by "
        f"--preprocessing=weights, or by {mends}; --preprocessing=config insists on the config"
    )


def _network_problems(weights: str, seen: Recognised, config: Config) -> list[str]:
    """What differs between the network of a file and that of a config."""
    if config.model.name != seen.network:
        return [
            f"--weights={weights} is {seen.title}, {seen.describe()}, and config.model.name = "
            f"{config.model.name!r}; leave --config out, or give one with "
            f"--config.model.name={seen.network}"
        ]
    problems = []
    accepted = arguments("model")[seen.network]
    for key, wanted in seen.kwargs.items():
        given = config.model.kwargs.get(key, accepted[key].default)
        if key not in LENIENT and _plain(given) != _plain(wanted):
            problems.append(
                f"--weights={weights} is {seen.title}, with {key} = {wanted!r}, and "
                f"config.model.kwargs.{key} = {given!r}{as_in(f'model.kwargs.{key}', wanted)}"
            )
    return problems


# Heads may lack, and several widths give the same layers: the conversion compares their shapes.
LENIENT: Final = ("auxiliary", "width")


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _show_as(config: ConfigDict, shown: Shown) -> None:
    for path, value in shown.keys().items():
        section, key = path.split(".")
        with config.unlocked(), config.ignore_type():
            config[section][key] = ConfigDict(value) if isinstance(value, dict) else value
