"""How weights were published to be shown images, beside how a config shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cnn_jax.config.published_preprocessing import PUBLISHED, Shown
from cnn_jax.config.schema import Config
from cnn_jax.data.preprocessing import FIXED, IMAGENET_MEAN, IMAGENET_STD
from cnn_jax.transfer.recognition import Recognised

# Crops of the centre; the second differs from torchvision's by a pixel of an offset or a side.
CENTRES: Final = ("torchvision_centre", "shorter_side")


def preprocessing_differences(seen: Recognised, config: Config) -> list[str]:
    """Returns how a config shows images otherwise than weights were published with.

    Args:
        seen: what their file was recognised as.
        config: validated.
    """
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
    if _crop(config) is None:
        words.append(f"--config.test_crop.name={CENTRES[0]}")
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


def _crop(config: Config) -> tuple[int, int] | None:
    """Shorter side and size of a central crop; None where a config has another rule."""
    kwargs = config.test_crop.kwargs
    if config.test_crop.name not in CENTRES or kwargs.get("position", "centre") != "centre":
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
