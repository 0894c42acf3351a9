"""The residual networks under the names that PyTorch code for CIFAR gives them.

- in layers: `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.bn1`, .., `linear` or `fc`; a projection is
  `layer2.0.shortcut.0` with `.1`, or `layer2.0.downsample.0` with `.1`. So torchvision's, too.
- in stages: `conv`, `bn`, `stage1.block1.conv1`, `stage1.block1.bn1`, .., `fc`; a projection is
  `stage2.block1.shortcut.conv` with `shortcut.bn`.
- in letters: `conv_1_3x3`, `bn_1`, `stage_1.0.conv_a`, `stage_1.0.bn_a`, .., `classifier`.

With pre-activation `bn1` stands before `conv1`, and `bn` after the last block. Blocks without a
projection subsample and pad with maps of zeros (option A): in letters they stand behind the old
ones, as here and as in the paper, in layers half before and half behind: see `channel_order`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnn_jax.config.problems import InputError
from cnn_jax.models.cifar_resnet import PUBLISHED_SHORTCUT
from cnn_jax.models.layer_table import Row
from cnn_jax.models.layered import PUBLISHED
from cnn_jax.models.preact_resnet import SHALLOWEST_BOTTLENECK
from cnn_jax.transfer.channel_order import padded_on_both_sides
from cnn_jax.transfer.naming import Family, Names, Naming

NUMBERED: Final = {"a": "1", "b": "2", "c": "3"}
BLOCK: Final = re.compile(r"(?:conv|stage)(\d+)_(\d+)/(\w+)")

RAW_FIRST_MAPS: Final = (
    "adds the first maps as they are in its first block, and here they are normalised and "
    "activated first, as published: the same weights are another network"
)


@dataclass(frozen=True)
class Style:
    """How a family calls its layers.

    Attributes:
        said: its name.
        block: of a block, out of `{stage}` and `{block}`, counted from 1, and `{stage_index}` and
            `{index}`, from 0.
        inside: layers of a block.
        outside: the others.
        joint: between block and layer.
    """

    said: str
    block: str
    inside: Mapping[str, str]
    outside: Mapping[str, str]
    joint: str = "."

    def modules(self, rows: Sequence[Row], first_stage: int = 1) -> Names:
        """Returns the module there by the layer here.

        Args:
            rows: the layer table.
            first_stage: the number of the first stage here: 1 for CIFAR, 2 for ImageNet.
        """
        names = dict(self.outside)
        for row in rows:
            match = BLOCK.fullmatch(row.name)
            if match and match[3] in self.inside:
                stage, block = int(match[1]) - first_stage + 1, int(match[2])
                numbers = {"stage_index": stage - 1, "block": block, "index": block - 1}
                part = self.block.format(stage=stage, **numbers)
                names[row.name] = f"{part}{self.joint}{self.inside[match[3]]}"
        present = {row.name for row in rows}
        return {here: there for here, there in names.items() if here in present}


def numbered(shortcut: str, norm: str) -> dict[str, str]:
    """Returns the layers of a block, `conv1`, `bn1` and so on.

    Args:
        shortcut: its convolution.
        norm: its batch norm.
    """
    names = {"shortcut": shortcut, "shortcut_bn": norm}
    for letter, number in NUMBERED.items():
        names |= {letter: f"conv{number}", f"{letter}_bn": f"bn{number}"}
        names |= {f"{letter}_preact_bn": f"bn{number}"}
    return names


def in_layers(said: str, shortcut: str, head: str) -> Style:
    """Returns the style in layers."""
    return Style(
        said,
        "layer{stage}.{index}",
        numbered(f"{shortcut}.0", f"{shortcut}.1"),
        {"conv1": "conv1", "conv1_bn": "bn1", "postnorm_bn": "bn", "logits": head},
    )


TORCHVISION: Final = in_layers("torchvision", "downsample", "fc")
# The first one is that of the networks written out.
IN_LAYERS: Final = [
    in_layers(f"PyTorch code for CIFAR (layer1.0.{shortcut}, {head})", shortcut, head)
    for head in ("linear", "fc")
    for shortcut in ("shortcut", "downsample")
]
IN_STAGES: Final = Style(
    "PyTorch code for CIFAR (stage1.block1)",
    "stage{stage}.block{block}",
    numbered("shortcut.conv", "shortcut.bn"),
    {"conv1": "conv", "conv1_bn": "bn", "postnorm_bn": "bn", "logits": "fc"},
)
IN_LETTERS: Final = Style(
    "PyTorch code for CIFAR (stage_1.0.conv_a)",
    "stage_{stage}.{index}",
    {"a": "conv_a", "a_bn": "bn_a", "b": "conv_b", "b_bn": "bn_b"},
    {"conv1": "conv_1_3x3", "conv1_bn": "bn_1", "logits": "classifier"},
)


def cifar_resnet(style: Style, pads_both_sides: bool) -> Family:
    """Returns the family of ResNets for CIFAR in a style.

    Args:
        style: of the names.
        pads_both_sides: whether option A puts half of the new maps before the old ones.
    """

    def naming(model: Any, rows: Sequence[Row]) -> Naming:
        shortcut = _shortcut(model)
        refused, note, orders = _departure(model), "", {}
        if pads_both_sides and shortcut == "A" and not refused:
            note = (
                "option A pads the maps on both sides there and behind here: the channels of each "
                "stage are reordered, the network is the same"
            )
            try:
                orders = padded_on_both_sides(rows)
            except InputError as error:
                refused = str(error)
        if style is IN_LETTERS and shortcut != "A" and not refused:
            refused = f"{style.said} has shortcut = 'A' alone, and here it is {shortcut!r}"
        return Naming(style.said, style.modules(rows), refused=refused, orders=orders, note=note)

    return naming


def _departure(model: Any) -> str:
    if not model.residual:
        return "PyTorch code for CIFAR has no plain networks, and here residual = False"
    if model.block == "bottleneck":
        return (
            "PyTorch code for CIFAR strides in the 3x3 convolution of a bottleneck, and here its "
            "first 1x1 does, as published: the same weights are another network"
        )
    if not model.normalised:
        return "PyTorch code for CIFAR has batch norm, and here norm = 'none'"
    return ""


def _shortcut(model: Any) -> str:
    chosen: str = model.shortcut
    return PUBLISHED_SHORTCUT[model.block] if chosen == PUBLISHED else chosen


def preactivation(style: Style, first_stage: int) -> Family:
    """Returns the family of ResNets with pre-activation in a style.

    Args:
        style: of the names.
        first_stage: the number of the first stage here: 1 for CIFAR, 2 for ImageNet.
    """

    def naming(model: Any, rows: Sequence[Row]) -> Naming:
        modules = style.modules(rows, first_stage)
        return Naming(style.said, modules, refused=_preactivation_departure(model, style))

    return naming


def _preactivation_departure(model: Any, style: Style) -> str:
    bottleneck = getattr(model, "block", "") == "bottleneck"
    if not model.normalised:
        return f"{style.said} has batch norm, and here norm = 'none'"
    if bottleneck:
        return (
            f"{style.said} strides in the 3x3 convolution of a bottleneck, and here its first 1x1 "
            "does, as published: the same weights are another network"
        )
    if style is IN_STAGES:
        if _shortcut(model) != "B":
            return f"{style.said} has shortcut = 'B' alone, and here it is {_shortcut(model)!r}"
        return ""
    if style.inside["shortcut"].startswith("downsample"):
        return (
            f"{style.said} projects the maps as they are, and here they are normalised and "
            "activated first, as published: the same weights are another network"
        )
    if getattr(model, "depth", 0) < SHALLOWEST_BOTTLENECK or hasattr(model, "block"):
        return f"{style.said} {RAW_FIRST_MAPS}"
    return ""
