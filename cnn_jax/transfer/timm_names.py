"""The layers here under the names that they have in timm, where those are not torchvision's.

VGG: the two hidden fully connected layers are convolutions there, of 7x7 and 1x1. ResNets with
pre-activation: `resnetv2_50`, `101` and `152`, whose classifier is a 1x1 convolution; `18` and `34`
add the first maps to the first residual as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from cnn_jax.models.layer_table import Row
from cnn_jax.models.preact_resnet import SHALLOWEST_BOTTLENECK
from cnn_jax.transfer.naming import Naming
from cnn_jax.transfer.residual_names import NUMBERED, RAW_FIRST_MAPS, Style
from cnn_jax.transfer.torch_names import torchvision

CLASSIFIER: Final = {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}
RESNETV2: Final = Style(
    "timm",
    "stages.{stage_index}.blocks.{index}",
    {"shortcut": "downsample.conv"}
    | {letter: f"conv{number}" for letter, number in NUMBERED.items()}
    | {f"{letter}_preact_bn": f"norm{number}" for letter, number in NUMBERED.items()},
    {"conv1": "stem.conv", "postnorm_bn": "norm", "logits": "head.fc"},
)


def timm_vgg(model: Any, rows: Sequence[Row]) -> Naming:
    """Returns the naming of a VGG."""
    naming = torchvision(model, rows)
    modules = {**naming.modules, **CLASSIFIER}
    refused = naming.refused.replace("torchvision", "timm")
    hidden = ("fc6", "fc7")
    return replace(naming, said="timm", modules=modules, refused=refused, convolutional=hidden)


def timm_resnetv2(model: Any, rows: Sequence[Row]) -> Naming:
    """Returns the naming of a ResNet with pre-activation."""
    refused = ""
    if not model.normalised:
        refused = "timm's resnetv2 has batch norm, and here norm = 'none'"
    elif model.depth < SHALLOWEST_BOTTLENECK:
        refused = f"timm's resnetv2 of depth {model.depth} {RAW_FIRST_MAPS}"
    modules = RESNETV2.modules(rows, first_stage=2)
    return Naming("timm", modules, refused=refused, convolutional=("logits",))
