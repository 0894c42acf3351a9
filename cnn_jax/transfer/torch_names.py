"""The layers here under the names that they have in torchvision."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from cnn_jax.config.problems import InputError, hint
from cnn_jax.models import MODELS, Network
from cnn_jax.models.layer_table import Row
from cnn_jax.models.resnet import SHALLOWEST_BOTTLENECK, ResNet

Names = dict[str, str]  # layer here -> module there


def torch_names(model: Network, rows: Sequence[Row]) -> Names:
    """Returns the modules of torchvision by the layers of a network.

    Args:
        model: the network.
        rows: its layer table.

    Raises:
        InputError: torchvision has no such network, or has it in another variant.
    """
    name = next((name for name, kind in MODELS.items() if kind is type(model)), "")
    if name not in NAMED:
        raise InputError(f"torchvision has no weights for {name!r}{hint(name, NAMED)}")
    naming, allowed = NAMED[name]
    for field, values in allowed.items():
        value = getattr(model, field)
        if value not in values and not (field == "variant" and _has_basic_blocks(model)):
            raise InputError(
                f"torchvision has no weights for {name} with {field} = {value!r}; "
                f"allowed: {', '.join(map(str, values))}"
            )
    return naming(rows)


def _has_basic_blocks(model: Network) -> bool:
    """Whether it is a ResNet whose variants are one network: they differ in bottlenecks alone."""
    return isinstance(model, ResNet) and model.depth < SHALLOWEST_BOTTLENECK


def sequential(classifier: Names) -> Callable[[Sequence[Row]], Names]:
    """Returns the naming of AlexNet and VGG: layers counted, with those that have no parameters.

    Args:
        classifier: names of the fully connected layers.
    """

    def names(rows: Sequence[Row]) -> Names:
        names, position = {}, 0
        for row in rows:
            if row.kind == "conv":
                names[row.name] = f"features.{position}"
                position += 2  # with its ReLU
            elif row.kind == "batch_norm":
                names[row.name] = f"features.{position - 1}"  # before that
                position += 1
            elif row.kind == "max_pool":
                position += 1
        return names | classifier

    return names


def resnet(rows: Sequence[Row]) -> Names:
    """Returns the names of a ResNet: `conv3_1/a` is `layer2.0.conv1`."""
    places = {"a": "1", "b": "2", "c": "3"}
    names = {"conv1": "conv1", "conv1_bn": "bn1", "logits": "fc"}
    for row in rows:
        match = re.fullmatch(r"conv(\d+)_(\d+)/(a|b|c|shortcut)(_bn)?", row.name)
        if match:
            stage, block, layer, norm = match.groups()
            inside = ("bn" if norm else "conv") + places.get(layer, "")
            if layer == "shortcut":
                inside = "downsample.1" if norm else "downsample.0"
            names[row.name] = f"layer{int(stage) - 1}.{int(block) - 1}.{inside}"
    return names


def inception(towers: Names, others: Names) -> Callable[[Sequence[Row]], Names]:
    """Returns the naming of GoogLeNet and Inception-v3: every convolution is a unit with its norm.

    Args:
        towers: names inside a module, where they differ.
        others: names outside modules, and those of parts, where they differ.
    """

    def names(rows: Sequence[Row]) -> Names:
        names = {}
        for row in rows:
            layer, norm = row.name.removesuffix("_bn"), row.name.endswith("_bn")
            part, _, last = layer.rpartition("/")
            if layer in others:
                module = others[layer]
            elif part:
                module = f"{others.get(part, part)}.{towers.get(last, last)}"
            else:
                module = layer
            module = module.replace("inception_", "inception")
            names[row.name] = (
                module if row.kind == "dense" else f"{module}.{'bn' if norm else 'conv'}"
            )
        return names

    return names


GOOGLENET_TOWERS: Final = {
    "1x1": "branch1",
    "3x3_reduce": "branch2.0",
    "3x3": "branch2.1",
    "5x5_reduce": "branch3.0",
    "5x5": "branch3.1",
    "pool_proj": "branch4.1",
    # of an auxiliary head
    "fc": "fc1",
    "linear": "fc2",
}
GOOGLENET_OTHERS: Final = {"conv2_reduce": "conv2", "conv2": "conv3", "linear": "fc"}
NORMALISED: Final = ("published", "batch")
# Network -> its naming, and the fields in which torchvision leaves no choice.
NAMED: Final[dict[str, tuple[Callable[[Sequence[Row]], Names], dict[str, tuple[Any, ...]]]]] = {
    "alexnet": (
        sequential({"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6"}),
        {"variant": ("torchvision",), "norm": ("published", "none")},
    ),
    "vgg": (
        sequential({"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}),
        {"variant": ("A", "B", "D", "E")},
    ),
    "googlenet": (
        inception(GOOGLENET_TOWERS, GOOGLENET_OTHERS),
        {"variant": ("torchvision",), "norm": NORMALISED},
    ),
    "inception_v3": (
        inception({"linear": "fc"}, {"aux": "AuxLogits", "linear": "fc"}),
        {"variant": ("released",), "norm": NORMALISED},
    ),
    "resnet": (
        resnet,
        {"variant": ("v1.5",), "shortcut": ("B",), "residual": (True,), "norm": NORMALISED},
    ),
}
