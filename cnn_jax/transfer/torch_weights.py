"""A state dict of PyTorch or Keras as parameters of a network here, and the other way round.

Weight and bias of batch norm are `scale` and `bias`, its running statistics `mean` and `var`; how
arrays lie, see `layouts`, how they are called, `families`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from cnn_jax.config.problems import InputError
from cnn_jax.models import Network
from cnn_jax.models.layer_table import layer_table
from cnn_jax.transfer.families import naming_of, naming_to_write
from cnn_jax.transfer.layouts import Size
from cnn_jax.transfer.naming import COUNTER, Naming, Path
from cnn_jax.transfer.state_dicts import StateDict


def convert(state_dict: StateDict, model: Network, input_size: Size) -> dict[str, Any]:
    """Returns the variables of a network out of a state dict.

    Args:
        state_dict: arrays under the names of one of `families.FAMILIES`; auxiliary heads where the
            network has them.
        model: the network, unbound.
        input_size: (H, W, C) of the images.

    Returns:
        `{'params': tree, 'batch_stats': tree}`, in the dtypes of the network.

    Raises:
        InputError: the networks of that family compute something else, or entries are missing,
            left over, or of another shape: all are named.
    """
    rows = layer_table(model, input_size)
    naming = naming_of(state_dict, model, rows)
    state_dict = naming.opened(state_dict)
    arrays, missing, misshapen, used = {}, [], [], set()
    for path, leaf in expected_leaves(model, input_size).items():
        ours, name = "/".join(path), naming.name(path)
        if name is None:
            missing.append(f"missing: {naming.said} has no layer like {ours}")
            continue
        used.add(name)
        if name not in state_dict:
            missing.append(f"missing: {name} (here {ours})")
            continue
        array, shape = state_dict[name], naming.shape(path, leaf.shape)
        if array.shape != shape:
            misshapen.append(
                f"misshapen: {name} is {_by(array.shape)}, and {_by(shape)} is needed (here {ours})"
            )
            continue
        arrays[path] = jnp.asarray(naming.ours(path, array), leaf.dtype)
    left = [name for name in state_dict if name not in used and not name.endswith(COUNTER)]
    if problems := missing + misshapen + [f"left over: {name}" for name in left]:
        raise InputError(problems)
    variables = unflatten_dict(arrays)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def state_dict_of(
    arrays: Mapping[Path, np.ndarray], model: Network, input_size: Size, batches: int = 0
) -> tuple[StateDict, Naming]:
    """Returns the state dict of the PyTorch model that a network is.

    Args:
        arrays: by path, such as ('params', 'conv1', 'kernel').
        model: the network, unbound.
        input_size: (H, W, C) of the images.
        batches: for `num_batches_tracked`.

    Returns:
        The state dict, in the dtypes of the arrays, and its naming; `convert` is the inverse.
    """
    naming = naming_to_write(model, layer_table(model, input_size))
    state_dict = {}
    for path, array in arrays.items():
        name = naming.name(path)
        assert name is not None, f"{naming.said} has no name for {path}"
        state_dict[name] = np.ascontiguousarray(naming.theirs(path, array))
        if path[-1] == "var":
            module = name.rpartition(naming.separator)[0]
            state_dict[f"{module}{naming.separator}{COUNTER}"] = np.array(batches, np.int64)
    return state_dict, naming


def expected_leaves(model: Network, input_size: Size) -> dict[tuple[str, ...], Any]:
    """Returns shape and dtype of every leaf of a network by its path."""
    rngs = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
    images = jax.ShapeDtypeStruct((1, *input_size), jnp.float32)
    variables = jax.eval_shape(model.init, rngs, images)
    kept = {k: v for k, v in variables.items() if k in ("params", "batch_stats")}
    return flatten_dict(kept)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"
