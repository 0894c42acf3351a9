"""What is said of a state dict that does not fit a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from cnn_jax.models import MODELS, Network
from cnn_jax.transfer.guesses import guess

MOST_LISTED: Final = 10  # problems


def problems_of(
    missing: Sequence[str],
    others: Sequence[str],
    needed: int,
    arrays: Mapping[str, np.ndarray],
    model: Network,
) -> list[str]:
    """Returns sentences: each of a few problems, or what the file is rather than all of many.

    Args:
        missing: a sentence for each array that the network needs and the file does not have.
        others: a sentence for each that has another shape, or that nothing here takes.
        needed: how many arrays the network needs.
        arrays: of the file.
        model: the network.

    Returns:
        Nothing where there is no problem.
    """
    problems = [*missing, *others]
    if not problems:
        return []
    looks = _looks_like(arrays, model)
    if 2 * len(missing) > needed:
        has = f"the file has {', '.join(list(arrays)[:3])}, ..." if arrays else "the file is empty"
        more = f", and {len(missing) - 1} more of {needed}" if len(missing) > 1 else ""
        return [f"{missing[0]}{more}: {looks or has}"]
    return shortened(problems) + ([looks] if looks else [])


def shortened(problems: Sequence[str]) -> list[str]:
    """Returns the first few problems, and how many more there are."""
    more = len(problems) - MOST_LISTED
    return [*problems[:MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]


def _looks_like(arrays: Mapping[str, np.ndarray], model: Network) -> str:
    """Returns what the file looks like, where that is another network than the one asked for."""
    if any(name.startswith(("params/", "batch_stats/")) for name in arrays):
        return "the file is an export of this project: --config.init_from.weights=FILE begins with"
    found = guess(arrays)
    if found is None:
        return ""
    overrides = found.overrides(model)
    if found.name and not overrides:
        if found.classes in (None, model.num_classes):
            return ""
        return f"the file has {found.classes} classes, the network {model.num_classes}"
    looks = f"the file looks like {found.describe()}; the network asked for is {_name(model)}"
    return f"{looks}: {overrides}" if overrides else looks


def _name(model: Network) -> str:
    """Returns a network as `resnet depth=18`."""
    name = next((name for name, kind in MODELS.items() if kind is type(model)), "?")
    fields = [f"{k}={getattr(model, k)}" for k in ("depth", "variant") if hasattr(model, k)]
    return " ".join([name, *fields])
