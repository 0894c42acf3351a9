"""A state dict with torchvision's names and layouts, as parameters of a network here.

Filters go from (O, I, H, W) to (H, W, I, O), fully connected layers from (O, I) to (I, O); the
first one after a map reads it in (H, W, C) order here and in (C, H, W) order there. Weight and
bias of batch norm are `scale` and `bias`, its running statistics `mean` and `var`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from cnn_jax.config.problems import InputError
from cnn_jax.models import Network
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.transfer.auxiliary_heads import Path, absent_heads, is_auxiliary
from cnn_jax.transfer.mismatches import problems_of, shortened
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_names import Names, torch_names

Size = tuple[int, int, int]
LEAVES: Final = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
IGNORED: Final = ".num_batches_tracked"  # a counter beside the running statistics


def convert(state_dict: StateDict, model: Network, input_size: Size) -> dict[str, Any]:
    """Returns the variables of a network out of a state dict.

    Args:
        state_dict: arrays under torchvision's names; auxiliary heads where the network has them.
        model: the network, unbound.
        input_size: (H, W, C) of the images.

    Returns:
        `{'params': tree, 'batch_stats': tree}`, in the dtypes of the network, without auxiliary
        heads that the file lacks.

    Raises:
        InputError: torchvision has no such network, or entries are missing, left over, or of
            another shape: a few are named, or what the file seems to be.
    """
    rows = layer_table(model, input_size)
    leaves, maps = expected_leaves(model, input_size), flattened_maps(rows)
    names = _names_of(leaves, torch_names(model, rows))
    if unnamed := ["/".join(path) for path, name in names.items() if name is None]:
        raise InputError(shortened([f"torchvision has no layer like {our}" for our in unnamed]))
    absent = absent_heads(names, state_dict)
    arrays, missing, misshapen, used = {}, [], [], set()
    for path, leaf in leaves.items():
        layer, ours, name = "/".join(path[1:-1]), "/".join(path), names[path]
        if path[1] in absent:
            continue
        assert name is not None
        used.add(name)
        if name not in state_dict:
            missing.append(f"missing: {name} (here {ours})")
            continue
        array, shape = state_dict[name], torch_shape(leaf.shape)
        if array.shape != shape:
            misshapen.append(
                f"misshapen: {name} is {_by(array.shape)}, and {_by(shape)} is needed (here {ours})"
            )
            continue
        arrays[path] = jnp.asarray(reordered(array, maps.get(layer)), leaf.dtype)
    left = [
        f"left over: {name}"
        for name in state_dict
        if name not in used and not name.endswith(IGNORED) and not is_auxiliary(name)
    ]
    if problems := problems_of(missing, misshapen + left, len(leaves), state_dict, model):
        raise InputError(problems)
    variables = unflatten_dict(arrays)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def expected_names(model: Network, input_size: Size) -> set[str]:
    """Returns the names that `convert` would take out of a state dict; none for other networks."""
    try:
        layers = torch_names(model, layer_table(model, input_size))
    except InputError:
        return set()
    names = _names_of(expected_leaves(model, input_size), layers)
    return {name for name in names.values() if name}


def _names_of(leaves: Mapping[Path, Any], layers: Names) -> dict[Path, str | None]:
    """Returns the name there by the path of a leaf; None where there is no such layer."""
    modules = {path: layers.get("/".join(path[1:-1])) for path in leaves}
    return {p: f"{module}.{LEAVES[p[-1]]}" if module else None for p, module in modules.items()}


def expected_leaves(model: Network, input_size: Size) -> dict[tuple[str, ...], Any]:
    """Returns shape and dtype of every leaf of a network by its path."""
    rngs = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
    images = jax.ShapeDtypeStruct((1, *input_size), jnp.float32)
    variables = jax.eval_shape(model.init, rngs, images)
    kept = {k: v for k, v in variables.items() if k in ("params", "batch_stats")}
    return flatten_dict(kept)


def flattened_maps(rows: Sequence[Row]) -> dict[str, Size]:
    """Returns the map (H, W, C) that a fully connected layer reads flattened, by layer."""
    sizes: dict[str, Size] = {}
    last: tuple[int, ...] = ()
    for row in rows:
        if row.kind == "dense" and len(last) == 3:
            height, width, channels = last
            sizes[row.name] = (height, width, channels)
        # Dropout does not say whether it stands before or after the flattening.
        if row.kind != "dropout":
            last = row.output
    return sizes


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape that a leaf of ours has in PyTorch."""
    if len(shape) == 4:
        height, width, inputs, outputs = shape
        return outputs, inputs, height, width
    return shape[::-1]


def reordered(array: np.ndarray, map_size: Size | None) -> np.ndarray:
    """Returns an array of PyTorch in our layout.

    Args:
        array: filters, a matrix, or a vector.
        map_size: (H, W, C) of the map whose pixels a matrix reads; None for all else.
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if array.ndim == 2 and map_size is not None:
        height, width, channels = map_size
        maps = array.reshape(-1, channels, height, width)
        return maps.transpose(2, 3, 1, 0).reshape(prod(map_size), -1)
    return array.T


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"
