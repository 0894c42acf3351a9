"""As much of a state dict as a network may begin with: its last layer may have other classes."""

from __future__ import annotations

import numpy as np

from cnn_jax.models import Network
from cnn_jax.models.layer_table import layer_table
from cnn_jax.transfer.families import naming_of
from cnn_jax.transfer.layouts import Size, reordered
from cnn_jax.transfer.naming import COUNTER
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import expected_leaves

OURS = ("params/", "batch_stats/")


def is_ours(state_dict: StateDict) -> bool:
    """Whether the names are those here, such as `params/conv1/kernel`."""
    return all(name.startswith(OURS) for name in state_dict)


def under_our_names(state_dict: StateDict, model: Network, input_size: Size) -> StateDict:
    """Returns the arrays of a state dict under the names that the network has here.

    Args:
        state_dict: arrays under the names of one of `families.FAMILIES`.
        model: the network, unbound.
        input_size: (H, W, C) of its images.

    Returns:
        name here -> array in our layout, such as `params/conv1/kernel`. One that has another shape
        than the network wants comes as it is, and what the network has no name for keeps its own.

    Raises:
        InputError: the networks of that family compute something else.
    """
    naming = naming_of(state_dict, model, layer_table(model, input_size))
    opened = naming.opened(state_dict)
    left = {name: array for name, array in opened.items() if not name.endswith(COUNTER)}
    found = {}
    for path, leaf in expected_leaves(model, input_size).items():
        name = naming.name(path)
        if name is None or name not in left:
            continue
        array = np.asarray(left.pop(name))
        fits = array.shape == naming.shape(path, leaf.shape)
        found["/".join(path)] = naming.ours(path, array) if fits else reordered(array, None)
    return found | left
