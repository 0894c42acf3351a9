"""Values that no trained network has: with them every prediction would be no number."""

from __future__ import annotations

from typing import Final

import numpy as np

from cnn_jax.transfer.state_dicts import StateDict

VARIANCE: Final = ("running_var", "moving_variance")  # in PyTorch and in Keras


def impossible_values(state_dict: StateDict) -> list[str]:
    """Returns what is wrong with the numbers of a state dict, a sentence for its first array.

    torchvision publishes such a file, `vgg16_features`, whose fully connected layers are NaN.
    """
    infinite = {
        name: int(np.size(array) - np.isfinite(array).sum())
        for name, array in state_dict.items()
        if np.asarray(array).dtype.kind == "f"
    }
    negative = {
        name: int((np.asarray(array) < 0).sum())
        for name, array in state_dict.items()
        if name.endswith(VARIANCE)
    }
    found = []
    for counts, what in ((infinite, "NaN or infinite"), (negative, "below 0, and a variance")):
        bad = {name: count for name, count in counts.items() if count}
        if bad:
            first = next(iter(bad))
            others = f", as in {len(bad) - 1} more arrays" if len(bad) > 1 else ""
            found.append(f"{first} has {bad[first]:,} values that are {what}{others}")
    return found
