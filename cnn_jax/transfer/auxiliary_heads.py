"""Auxiliary heads that only the file has, or only the network: an evaluation reads none of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cnn_jax.models import Network
from cnn_jax.transfer.state_dicts import StateDict

THERE: Final = re.compile(r"(aux\d*|AuxLogits)\.")  # as torchvision calls them
HERE: Final = "aux"  # what their names begin with

Path = tuple[str, ...]  # of a leaf here, such as ('params', 'aux1', 'conv', 'kernel')


def is_auxiliary(name: str) -> bool:
    """Whether an array of a file belongs to an auxiliary head."""
    return THERE.match(name) is not None


def absent_heads(names: Mapping[Path, str | None], state_dict: StateDict) -> set[str]:
    """Returns the auxiliary heads of a network of which a file has nothing at all.

    Args:
        names: name in the file by the path of a leaf.
        state_dict: of the file.
    """
    heads = {path[1] for path in names if path[1].startswith(HERE)}
    return heads - {path[1] for path, name in names.items() if name in state_dict}


def with_drawn_heads(variables: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Returns variables with the heads that they lack.

    Args:
        variables: trees by collection, as `convert` returns them.
        drawn: the same trees, whole, as they are drawn.
    """
    return {
        collection: {
            name: tree.get(name, part)
            for name, part in drawn[collection].items()
            if name in tree or name.startswith(HERE)
        }
        for collection, tree in variables.items()
    }


def describe_heads(state_dict: StateDict, variables: Mapping[str, Any], model: Network) -> str:
    """Returns in a line which heads the file lacks, or the network; empty where both agree."""
    wanted = bool(getattr(model, "auxiliary", False))
    has = any(name.startswith(HERE) for name in variables["params"])
    if wanted and not has:
        return "the file has no auxiliary heads: evaluation needs none, training draws them anew"
    heads = sorted({name.partition(".")[0] for name in state_dict if is_auxiliary(name)})
    if heads and not wanted:
        return f"left aside: the auxiliary heads {', '.join(heads)}; the network has none"
    return ""
