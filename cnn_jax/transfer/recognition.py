"""State dicts whose names fix the network and how its images are shown, as torchvision's do.

A family is a function in `FAMILIES`: it looks for the names that its files have, and reads depth,
width and classes from names and shapes. Whether every entry fits is seen when the weights are
converted; what a file of other names looks like is guessed in `guesses`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cnn_jax.models.resnet import BLOCKS, SHALLOWEST_BOTTLENECK
from cnn_jax.transfer.published_files import published_file
from cnn_jax.transfer.state_dicts import StateDict

Shapes = Mapping[str, tuple[int, ...]]
ILSVRC_CLASSES: Final = 1000
VGG_OF_CONVOLUTIONS: Final = {8: "A", 10: "B", 13: "D", 16: "E"}
TORCHVISION_VGG: Final = {"A": "vgg11", "B": "vgg13", "D": "vgg16", "E": "vgg19"}


@dataclass(frozen=True)
class Recognised:
    """What a state dict belongs to.

    Attributes:
        title: of the network, as its names have it, such as `torchvision's resnet50`.
        network: a key of `MODELS`.
        kwargs: its arguments, as far as names and shapes tell them.
        num_classes: outputs of its last layer.
        preprocessing: a key of `published_preprocessing.PUBLISHED`.
        file: what the file is called where it is published; None: by none that is known.
    """

    title: str
    network: str
    kwargs: Mapping[str, Any]
    num_classes: int
    preprocessing: str
    file: str | None = None

    @property
    def as_published(self) -> bool:
        """Whether it may be the published file: else it was trained by somebody else."""
        published = self.num_classes == ILSVRC_CLASSES and not {"width", "blocks"} & {*self.kwargs}
        return self.file is not None or published

    def describe(self) -> str:
        """Returns the network in words: `resnet depth=50 variant=v1.5, 1000 classes`."""
        arguments = "".join(f" {name}={value}" for name, value in self.kwargs.items())
        return f"{self.network}{arguments}, {self.num_classes} classes"


def recognise(state_dict: StateDict, path: Path | None = None) -> Recognised | None:
    """Returns what a state dict belongs to; None where no family knows its names.

    Args:
        state_dict: arrays by name.
        path: of its file, whose digest may tell what it was published as; None: it is not asked.
    """
    shapes = {name: array.shape for name, array in state_dict.items()}
    for family in FAMILIES:
        try:
            found = family(shapes)
        except (KeyError, IndexError):  # a name that the family has is not there
            continue
        if found is None:
            continue
        known = published_file(path) if path is not None else None
        if known is None:
            return found
        return replace(found, file=known.title, preprocessing=known.preprocessing)
    return None


def _alexnet(shapes: Shapes) -> Recognised | None:
    first = shapes["features.0.weight"]
    if first[2:] != (11, 11) or "classifier.1.weight" not in shapes:
        return None
    return Recognised(
        "torchvision's alexnet",
        "alexnet",
        {"variant": "torchvision"} | _width(first[0], 64),
        shapes["classifier.6.weight"][0],
        "torchvision/alexnet",
    )


def _vgg(shapes: Shapes) -> Recognised | None:
    filters = [s for name, s in shapes.items() if name.startswith("features.") and len(s) == 4]
    variant = VGG_OF_CONVOLUTIONS.get(len(filters))
    if variant is None or shapes["features.0.weight"][2:] != (3, 3):
        return None
    normalised = "features.1.running_mean" in shapes
    return Recognised(
        f"torchvision's {TORCHVISION_VGG[variant]}{'_bn' * normalised}",
        "vgg",
        {"variant": variant}
        | ({"norm": "batch"} if normalised else {})
        | _width(shapes["features.0.weight"][0], 64),
        shapes["classifier.6.weight"][0],
        "torchvision/vgg",
    )


def _resnet(shapes: Shapes) -> Recognised | None:
    first, block = shapes["conv1.weight"], shapes["layer1.0.conv1.weight"]
    inside = shapes["layer1.0.conv2.weight"][:2]
    if "bn.weight" in shapes:
        return None  # with pre-activation
    if first[2:] != (7, 7) or block[0] != first[0] or inside != (first[0], first[0]):
        return None  # a network for small images, a Wide ResNet or a ResNeXt
    counts: dict[int, int] = {}
    for name in shapes:
        if place := re.match(r"layer(\d+)\.(\d+)\.", name):
            stage, number = map(int, place.groups())
            counts[stage] = max(counts.get(stage, 0), number + 1)
    blocks = tuple(counts[stage] for stage in sorted(counts))
    bottleneck = "layer1.0.conv3.weight" in shapes
    kwargs = _depth(blocks, bottleneck)
    if bottleneck:
        kwargs |= {"variant": "v1.5"}
    own = "with other blocks" if "blocks" in kwargs else ""
    return Recognised(
        f"torchvision's resnet{kwargs['depth']} {own}".rstrip(),
        "resnet",
        kwargs | _width(first[0], 64),
        shapes["fc.weight"][0],
        "torchvision/resnet",
    )


def _depth(blocks: tuple[int, ...], bottleneck: bool) -> dict[str, Any]:
    depths = [depth for depth in BLOCKS if (depth >= SHALLOWEST_BOTTLENECK) == bottleneck]
    for depth in depths:
        if BLOCKS[depth] == blocks:
            return {"depth": depth}
    return {"depth": depths[0], "blocks": blocks}


def _googlenet(shapes: Shapes) -> Recognised | None:
    first = shapes["conv1.conv.weight"]
    if "inception3a.branch1.conv.weight" not in shapes:
        return None
    return Recognised(
        "torchvision's googlenet",
        "googlenet",
        {"variant": "torchvision"} | _heads(shapes, "aux1.") | _width(first[0], 64),
        shapes["fc.weight"][0],
        "torchvision/googlenet",
    )


def _inception_v3(shapes: Shapes) -> Recognised | None:
    first = shapes["Conv2d_1a_3x3.conv.weight"]
    return Recognised(
        "torchvision's inception_v3",
        "inception_v3",
        _heads(shapes, "AuxLogits.") | _width(first[0], 32),
        shapes["fc.weight"][0],
        "torchvision/inception_v3",
    )


def _heads(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """A file that was saved for inference may have no auxiliary heads."""
    return {} if any(name.startswith(prefix) for name in shapes) else {"auxiliary": False}


def _width(found: int, published: int) -> dict[str, Any]:
    """The width out of the maps of the first convolution."""
    return {} if found == published else {"width": found / published}


FAMILIES: Final[tuple[Callable[[Shapes], Recognised | None], ...]] = (
    _alexnet,
    _vgg,
    _resnet,
    _googlenet,
    _inception_v3,
)
