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
from cnn_jax.transfer.auxiliary_heads import absent_heads, is_auxiliary
from cnn_jax.transfer.families import naming_of, naming_to_write, namings
from cnn_jax.transfer.layouts import Size
from cnn_jax.transfer.mismatches import problems_of, shortened
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
        `{'params': tree, 'batch_stats': tree}`, in the dtypes of the network, without auxiliary
        heads that the file lacks.

    Raises:
        InputError: the networks of that family compute something else, or entries are missing,
            left over, or of another shape: a few are named, or what the file seems to be.
    """
    rows = layer_table(model, input_size)
    naming = naming_of(state_dict, model, rows)
    state_dict = naming.opened(state_dict)
    leaves = expected_leaves(model, input_size)
    names = {path: naming.name(path) for path in leaves}
    if unnamed := ["/".join(path) for path, name in names.items() if name is None]:
        raise InputError(shortened([f"{naming.said} has no layer like {own}" for own in unnamed]))
    absent = absent_heads(names, state_dict)
    arrays, missing, misshapen, used = {}, [], [], set()
    for path, leaf in leaves.items():
        ours, name = "/".join(path), names[path]
        if path[1] in absent:
            continue
        assert name is not None
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
    left = [
        f"left over: {name}"
        for name in state_dict
        if name not in used and not name.endswith(COUNTER) and not is_auxiliary(name)
    ]
    if problems := problems_of(missing, misshapen + left, len(leaves), state_dict, model):
        raise InputError(problems)
    variables = unflatten_dict(arrays)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def expected_names(model: Network, input_size: Size) -> set[str]:
    """Returns the names that `convert` would find in a state dict, of all families."""
    paths = expected_leaves(model, input_size)
    families = namings(model, layer_table(model, input_size))
    names = {naming.name(path) for naming in families for path in paths}
    return {name for name in names if name is not None}


def describe_names(state_dict: StateDict, model: Network, input_size: Size) -> str:
    """Returns in a line whose names a state dict has, and what that means for its arrays."""
    naming = naming_of(state_dict, model, layer_table(model, input_size))
    return f"named as in {naming.said}" + (f": {naming.note}" if naming.note else "")


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
