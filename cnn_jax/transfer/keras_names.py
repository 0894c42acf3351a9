"""The layers here under the names that they have in Keras' applications.

Arrays lie as here. What differs is made equal, or refused:
- ResNet50, 101 and 152 (`conv2_block1_1_conv`) have their strides in the first 1x1 of a block, as
  `variant = 'v1'` here. Their convolutions have biases before batch norm, which norms away what is
  added before it: each is subtracted from the running mean. Their epsilon is 1.001e-5, not 1e-5:
  the difference is added to the running variance. Both are exact, and matter in evaluation alone.
- VGG16 and VGG19 (`block1_conv1`, `fc1`, `predictions`) are the same networks.
- InceptionV3 has layers without names, `conv2d_17` and `batch_normalization_17`, counted from
  wherever the session that wrote the file stood: their order is what counts. It is
  `variant = 'keras'` here: no scales, and averages at the border that leave the padding out.

The preprocessing is no part of a file. The published ResNets and VGGs read BGR less the mean of
ImageNet, (103.939, 116.779, 123.68) of 255, InceptionV3 RGB in [-1, 1].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from cnn_jax.models.layer_table import Row
from cnn_jax.transfer.keras_files import plain
from cnn_jax.transfer.naming import Names, Naming
from cnn_jax.transfer.residual_names import NUMBERED, Style
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_names import departure

LEAVES: Final = {"scale": "gamma", "mean": "moving_mean", "var": "moving_variance"}
UNNAMED: Final = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?")
ADDED_EPSILON: Final = 1.001e-5 - 1e-5
RESNET: Final = Style(
    "Keras",
    "conv{stage}_block{block}",
    {"shortcut": "0_conv", "shortcut_bn": "0_bn"}
    | {letter: f"{number}_conv" for letter, number in NUMBERED.items()}
    | {f"{letter}_bn": f"{number}_bn" for letter, number in NUMBERED.items()},
    {"conv1": "conv1_conv", "conv1_bn": "conv1_bn", "logits": "predictions"},
    joint="_",
)
RESNETS: Final = {
    "depth": (50, 101, 152),
    "variant": ("v1",),
    "shortcut": ("B",),
    "residual": (True,),
    "norm": ("published", "batch"),
}
VGGS: Final = {"variant": ("D", "E"), "norm": ("published", "none")}
INCEPTIONS: Final = {"variant": ("keras",), "norm": ("published", "batch")}


def keras_resnet(model: Any, rows: Sequence[Row]) -> Naming:
    """Returns the naming of a ResNet."""
    modules = RESNET.modules(rows)
    note = "biases below batch norm go into its running means, its epsilon into the variances"
    return replace(_naming(modules, departure("Keras", model, RESNETS), without_biases), note=note)


def keras_vgg(model: Any, rows: Sequence[Row]) -> Naming:
    """Returns the naming of a VGG."""
    modules = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
    for row in rows:
        if row.kind == "conv":
            stage, layer = row.name.removeprefix("conv").split("_")
            modules[row.name] = f"block{stage}_conv{layer}"
    return _naming(modules, departure("Keras", model, VGGS), plain)


def keras_inception_v3(model: Any, rows: Sequence[Row]) -> Naming:
    """Returns the naming of an Inception-v3; its layers are counted from 0."""
    convolutions = [row.name for row in rows if row.kind == "conv" and not row.auxiliary]
    modules = {"linear": "predictions"}
    for number, name in enumerate(_in_order_of_keras(convolutions)):
        modules |= {name: f"conv2d_{number}", f"{name}_bn": f"batch_normalization_{number}"}
    modules |= {row.name: row.name for row in rows if row.auxiliary}  # which no file has
    return _naming(modules, departure("Keras", model, INCEPTIONS), counted)


def _in_order_of_keras(names: Sequence[str]) -> list[str]:
    """Returns the convolutions as Keras makes them: tower by tower, also where towers fork."""
    order: list[str] = []
    for part, group in groupby(names, lambda name: name.rpartition("/")[0]):
        module = list(group)
        forks = any(name.endswith("_2a") for name in module)
        order += sorted(module) if part and forks else module
    return order


def _naming(modules: Names, refused: str, opened: Any) -> Naming:
    return Naming(
        "Keras",
        modules,
        refused=refused,
        leaves=LEAVES,
        separator="/",
        channels_last=True,
        opened=opened,
    )


def without_biases(state_dict: StateDict) -> StateDict:
    """Returns the arrays of a ResNet without biases below batch norm, for an epsilon of 1e-5."""
    arrays = dict(plain(state_dict))
    for name in list(arrays):
        mean = name.replace("_conv/bias", "_bn/moving_mean")
        if mean != name and mean in arrays and arrays[mean].shape == arrays[name].shape:
            arrays[mean] = arrays[mean] - arrays.pop(name)
        elif name.endswith("_bn/moving_variance"):
            arrays[name] = arrays[name] + arrays[name].dtype.type(ADDED_EPSILON)
    return arrays


def counted(state_dict: StateDict) -> StateDict:
    """Returns the arrays of layers without names, `conv2d_94` and so on, counted from 0."""
    arrays = plain(state_dict)
    numbers: dict[str, set[int]] = {}
    for name in arrays:
        if match := UNNAMED.fullmatch(name.rpartition("/")[0]):
            numbers.setdefault(match[1], set()).add(int(match[2] or 0))
    places = {kind: sorted(found) for kind, found in numbers.items()}

    def renamed(name: str) -> str:
        module, _, leaf = name.rpartition("/")
        match = UNNAMED.fullmatch(module)
        if match is None:
            return name
        return f"{match[1]}_{places[match[1]].index(int(match[2] or 0))}/{leaf}"

    return {renamed(name): array for name, array in arrays.items()}
