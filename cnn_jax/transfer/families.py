"""The names under which the weights of a network are found, and the choice among them by a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cnn_jax.config.problems import InputError
from cnn_jax.models import MODELS, Network
from cnn_jax.models.layer_table import Row
from cnn_jax.transfer.keras_names import keras_inception_v3, keras_resnet, keras_vgg
from cnn_jax.transfer.naming import Family, Naming, systematic
from cnn_jax.transfer.residual_names import (
    IN_LAYERS,
    IN_LETTERS,
    IN_STAGES,
    cifar_resnet,
    preactivation,
)
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.timm_names import timm_resnetv2, timm_vgg
from cnn_jax.transfer.torch_names import torchvision

# Network -> families; the first one of PyTorch that is not refused is the one that is written.
FAMILIES: Final[dict[str, tuple[Family, ...]]] = {
    "alexnet": (torchvision,),
    "vgg": (torchvision, timm_vgg, keras_vgg),
    "googlenet": (torchvision,),
    "inception_v3": (torchvision, keras_inception_v3),
    "resnet": (torchvision, keras_resnet),
    "preact_resnet": (
        timm_resnetv2,
        *(preactivation(style, 2) for style in IN_LAYERS),
    ),
    "cifar_resnet": (
        *(cifar_resnet(style, pads_both_sides=True) for style in IN_LAYERS),
        cifar_resnet(IN_STAGES, pads_both_sides=False),
        cifar_resnet(IN_LETTERS, pads_both_sides=False),
    ),
    "cifar_preact_resnet": (
        preactivation(IN_STAGES, 1),
        *(preactivation(style, 1) for style in IN_LAYERS),
    ),
}


def namings(model: Network, rows: Sequence[Row]) -> list[Naming]:
    """Returns the names that the weights of a network may have; those of cnn_jax are the last.

    Args:
        model: the network.
        rows: its layer table.
    """
    name = next((name for name, kind in MODELS.items() if kind is type(model)), "")
    return [*(family(model, rows) for family in FAMILIES.get(name, ())), systematic(rows)]


def naming_of(state_dict: StateDict, model: Network, rows: Sequence[Row]) -> Naming:
    """Returns the family of which most modules are in a state dict.

    Args:
        state_dict: arrays by name.
        model: the network.
        rows: its layer table.

    Raises:
        InputError: the networks of this family compute something else.
    """
    best = max(namings(model, rows), key=lambda naming: naming.modules_in(state_dict))
    if best.refused:
        raise InputError(best.refused)
    return best


def naming_to_write(model: Network, rows: Sequence[Row]) -> Naming:
    """Returns the family of PyTorch's in which the weights of a network are written.

    Args:
        model: the network.
        rows: its layer table.
    """
    found = namings(model, rows)
    return next(each for each in found if not each.refused and not each.channels_last)
