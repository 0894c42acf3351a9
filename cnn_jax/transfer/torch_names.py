"""The layers here under the names that they have in torchvision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from cnn_jax.models import MODELS, Network
from cnn_jax.models.layer_table import Row
from cnn_jax.models.resnet import SHALLOWEST_BOTTLENECK, ResNet
from cnn_jax.transfer.layouts import flattened_maps
from cnn_jax.transfer.naming import Names, Naming
from cnn_jax.transfer.residual_names import TORCHVISION


def torchvision(model: Network, rows: Sequence[Row]) -> Naming:
    """Returns the naming of torchvision.

    Args:
        model: a network of `NAMED`.
        rows: its layer table.
    """
    names, allowed = NAMED[registered_name(model)]
    return Naming(
        "torchvision", names(rows), flattened_maps(rows), departure("torchvision", model, allowed)
    )


def registered_name(model: Network) -> str:
    """Returns the name of a network in `MODELS`."""
    return next(name for name, kind in MODELS.items() if kind is type(model))


def departure(said: str, model: Network, allowed: Mapping[str, tuple[Any, ...]]) -> str:
    """Returns why a network is none of those of a library; empty where it is one.

    Args:
        said: the library.
        model: the network.
        allowed: values by field.
    """
    for field, values in allowed.items():
        value = getattr(model, field)
        if value not in values and not (field == "variant" and _has_basic_blocks(model)):
            return (
                f"{said} has no weights for {registered_name(model)} with {field} = {value!r}; "
                f"allowed: {', '.join(map(str, values))}"
            )
    return ""


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
        partial(TORCHVISION.modules, first_stage=2),
        {"variant": ("v1.5",), "shortcut": ("B",), "residual": (True,), "norm": NORMALISED},
    ),
}
