"""The config under which weights out of a file are used: their own, or one that agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ml_collections import ConfigDict

from cnn_jax.config.arguments import arguments, fill_defaults
from cnn_jax.config.problems import InputError
from cnn_jax.config.published_preprocessing import PUBLISHED, Shown
from cnn_jax.config.schema import Config, base_config
from cnn_jax.config.unknown_keys import as_in
from cnn_jax.config.validate import validate
from cnn_jax.data.preprocessing import FIXED, IMAGENET_MEAN, IMAGENET_STD
from cnn_jax.transfer.recognition import ILSVRC_CLASSES, Recognised

NEEDS_CONFIG: Final = "give --config=FILE, as in --config=configs/imagenet/resnet.py:50_v1.5"


def own_config(weights: str, seen: Recognised | None, directory: str | None) -> Config:
    """Returns the config that the names in a file fix: network, preprocessing and classes.

    Args:
        weights: the file, for messages.
        seen: what it was recognised as.
        directory: a folder of images, one sub-folder a class; None: there is no data.

    Raises:
        InputError: the names do not fix both.
    """
    if seen is None:
        raise InputError(
            f"--weights={weights}: the names in it are those of no network that is known by its "
            f"names: {NEEDS_CONFIG}"
        )
    if seen.preprocessing is None:
        raise InputError(
            f"--weights={weights} is {seen.title}, {seen.describe()}, and that does not fix how "
            f"its images are cropped and normalised: {NEEDS_CONFIG}"
        )
    config = base_config()
    config.model.name = seen.network
    config.model.kwargs = ConfigDict(dict(seen.kwargs))
    if directory is not None or seen.num_classes != ILSVRC_CLASSES:
        config.data.source, config.data.kwargs = "folder", ConfigDict()
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
        _show_as(changed, PUBLISHED[str(seen.preprocessing)])
        say("; ".join(differences) + ": as published (--preprocessing=weights)")
        return validate(fill_defaults(changed))
    if differences:
        say("; ".join(differences) + ": as in the config")
    return config


def _is_refused(seen: Recognised, config: Config) -> bool:
    if seen.preprocessing is None or not seen.as_published or config.model.name != seen.network:
        return False
    return bool(config.data.normalisation != PUBLISHED[seen.preprocessing].normalisation)


def _refusal(weights: str, seen: Recognised, config: Config, differences: list[str]) -> str:
    mends = " ".join(overrides(PUBLISHED[str(seen.preprocessing)], config))
    return (
        f"--weights={weights}: {'; '.join(differences)}. Images are shown as published by "
        f"--preprocessing=weights, or by {mends}; --preprocessing=config insists on the config"
    )


def preprocessing_differences(seen: Recognised, config: Config) -> list[str]:
    """Returns how a config shows images otherwise than weights were published with.

    Args:
        seen: what their file was recognised as.
        config: validated.
    """
    if seen.preprocessing is None:
        return []
    shown, found = PUBLISHED[seen.preprocessing], []
    if config.data.normalisation != shown.normalisation:
        found.append(
            f"{seen.title} was published with {_pixels(shown.normalisation)}, and the config has "
            f"{_pixels(config.data.normalisation)}"
        )
    if _crop(config) != (shown.shorter_side, shown.size):
        found.append(
            f"{seen.title} was published with a shorter side of {shown.shorter_side} and the "
            f"central {shown.size}x{shown.size}, and the config has test_crop "
            f"{config.test_crop.name} {dict(config.test_crop.kwargs)}"
        )
    return found


def overrides(shown: Shown, config: Config) -> list[str]:
    """Returns the overrides that make a config show images so."""
    words = []
    if config.data.normalisation != shown.normalisation:
        words.append(f"--config.data.normalisation={shown.normalisation}")
    if config.test_crop.name != "shorter_side":
        words.append("--config.test_crop.name=shorter_side")
    if _crop(config) != (shown.shorter_side, shown.size):
        words.append(f"--config.test_crop.kwargs.shorter_side={shown.shorter_side}")
        words.append(f"--config.test_crop.kwargs.size={shown.size}")
    return words


def described(weights: str, seen: Recognised, config: Config) -> str:
    """Returns in a line what a file of weights was recognised as, and how images are shown."""
    name = Path(weights).name
    how = f"{seen.file}, known by its SHA-256" if seen.file else f"{seen.title} by its names"
    if not seen.as_published:
        how += ", trained by somebody else"
    crop = _crop(config)
    shown = f"{_pixels(config.data.normalisation)}" + (
        f", shorter side {crop[0]}, central {crop[1]}x{crop[1]}" if crop else ""
    )
    return f"{name} is {how}: {seen.describe()}; images with {shown}"


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
        if key != "auxiliary" and _plain(given) != _plain(wanted):
            problems.append(
                f"--weights={weights} is {seen.title}, with {key} = {wanted!r}, and "
                f"config.model.kwargs.{key} = {given!r}{as_in(f'model.kwargs.{key}', wanted)}"
            )
    return problems


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _show_as(config: ConfigDict, shown: Shown) -> None:
    for path, value in shown.keys().items():
        section, key = path.split(".")
        with config.unlocked(), config.ignore_type():
            config[section][key] = ConfigDict(value) if isinstance(value, dict) else value


def _crop(config: Config) -> tuple[int, int] | None:
    """Shorter side and size of a central crop; None where a config has another rule."""
    kwargs = config.test_crop.kwargs
    if config.test_crop.name != "shorter_side" or kwargs.get("position", "centre") != "centre":
        return None
    return kwargs.shorter_side, kwargs.size


def _pixels(normalisation: str) -> str:
    """A normalisation in words and numbers."""
    if normalisation == "imagenet":
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        return f"normalisation imagenet (mean {_listed(mean)}, deviation {_listed(std)})"
    if normalisation in FIXED:
        centre, spread = FIXED[normalisation]
        return f"normalisation {normalisation} (mean {centre:.3g}, deviation {spread:.3g})"
    return f"normalisation {normalisation} (computed from the training images)"


def _listed(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)
