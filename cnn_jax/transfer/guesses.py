"""Which network a state dict is of, by names and shapes, where it is not the one asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cnn_jax.models import MODELS, Network


@dataclass(frozen=True)
class Guess:
    """What a state dict looks like.

    Attributes:
        name: of the network here; empty where it is none of those here.
        kwargs: its fields, as far as they are known.
        words: what it is, where it has no name here.
        classes: how many classes it has; None where that is not seen.
    """

    name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    classes: int | None = None

    def describe(self) -> str:
        """Returns it as `resnet depth=50, 1000 classes`."""
        fields = [f"{key}={value}" for key, value in self.kwargs.items()]
        what = " ".join([self.name, *fields]) if self.name else self.words
        return f"{what}, {self.classes} classes" if self.classes else what

    def overrides(self, model: Network) -> str:
        """Returns what makes a network the one that is looked for; empty where nothing does."""
        if not self.name:
            return ""
        if MODELS.get(self.name) is not type(model):
            words = [f"--config.model.name={self.name}"]
            words += [f"--config.model.kwargs.{k}={v}" for k, v in self.kwargs.items()]
        else:
            words = [
                f"--config.model.kwargs.{k}={v}"
                for k, v in self.kwargs.items()
                if getattr(model, k, None) != v
            ]
        return " ".join(words)


def guess(arrays: Mapping[str, np.ndarray]) -> Guess | None:
    """Returns which network a state dict with PyTorch's names looks like; None: like none known.

    Args:
        arrays: by name.
    """
    for pattern, words in ELSEWHERE.items():
        if any(re.search(pattern, name) for name in arrays):
            return Guess("", words=words)
    stages = _stages(arrays)
    if any(name.startswith("Mixed_5b.") for name in arrays):
        found = Guess("inception_v3", {"variant": "released"})
    elif any(name.startswith("inception3a.") for name in arrays):
        found = Guess("googlenet", {"variant": "torchvision"})
    elif stages:
        found = _resnet(arrays, stages)
    elif any(re.match(r"features\.\d+\.weight", name) for name in arrays):
        found = _sequential(arrays)
    else:
        return None
    last = next((arrays[name] for name in CLASSIFIERS if name in arrays), None)
    classes = len(last) if last is not None and last.ndim else None
    return Guess(found.name, found.kwargs, found.words, classes)


def _stages(arrays: Mapping[str, np.ndarray]) -> list[int]:
    """Returns the number of residual blocks of each stage; `layer3.5.` is the third's sixth."""
    blocks: Counter[int] = Counter()
    for name in arrays:
        if match := re.match(r"layer(\d)\.(\d+)\.conv1\.weight", name):
            stage, block = map(int, match.groups())
            blocks[stage] = max(blocks[stage], block + 1)
    return [blocks[stage] for stage in sorted(blocks)]


def _resnet(arrays: Mapping[str, np.ndarray], stages: list[int]) -> Guess:
    bottleneck = any(name.startswith("layer1.0.conv3.") for name in arrays)
    layers = (3 if bottleneck else 2) * sum(stages) + 2
    shape = " + ".join(map(str, stages))
    stem = arrays.get("conv1.weight")
    if len(stages) == 3 and stem is not None and stem.shape[2:] == (3, 3):
        if not bottleneck and stem.shape[0] == 16 and len(set(stages)) == 1:
            return Guess("cifar_resnet", {"depth": layers})
        return Guess("", words=f"a residual network for small images with {shape} blocks")
    if STAGES.get(layers) != tuple(stages):
        return Guess("", words=f"a residual network with {shape} blocks")
    inner = arrays.get("layer1.0.conv2.weight")
    if bottleneck and inner is not None and inner.ndim == 4:
        if inner.shape[1] != inner.shape[0]:
            return Guess("", words=f"a ResNeXt of {layers} layers, with grouped convolutions")
        if inner.shape[0] != 64:
            return Guess("", words=f"a wide ResNet of {layers} layers")
    if stem is not None and stem.shape[2:] == (3, 3):
        return Guess("", words=f"a ResNet of {layers} layers for small images, with a 3x3 stem")
    variant = {"variant": "v1.5"} if bottleneck else {}
    return Guess("resnet", {"depth": layers} | variant)


def _sequential(arrays: Mapping[str, np.ndarray]) -> Guess:
    """AlexNet or VGG: layers counted."""
    filters = [a for n, a in arrays.items() if n.startswith("features.") and a.ndim == 4]
    if len(filters) == 5 and filters[0].shape[2:] == (11, 11):
        return Guess("alexnet", {"variant": "torchvision"})
    normalised = any(name.endswith(".running_mean") for name in arrays)
    if variant := VGG.get(len(filters)):
        return Guess("vgg", {"variant": variant} | ({"norm": "batch"} if normalised else {}))
    return Guess("", words=f"a network of {len(filters)} convolutions in a row")


STAGES: Final = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
VGG: Final = {8: "A", 10: "B", 13: "D", 16: "E"}  # convolutions -> variant
CLASSIFIERS: Final = ("fc.weight", "classifier.6.weight", "linear.weight", "classifier.weight")
# What is often in such files, and not here.
ELSEWHERE: Final = {
    r"^features\.denseblock1\.": "a DenseNet",
    r"^features\.\d+\.squeeze\.": "a SqueezeNet",
    r"^features\.\d+\.conv\.\d": "a MobileNet",
    r"^(blocks\.0\.0\.conv_dw|features\.\d+\.\d+\.block\.)": "an EfficientNet or MobileNet",
    r"(^|\.)(cls_token|class_token|pos_embed(ding)?)$": "a vision transformer",
    r"(^|\.)relative_position_bias_table$": "a Swin transformer",
    r"^stages\.\d+\.\d+\.dwconv\.": "a ConvNeXt",
    r"^(layer\d\.\d+\.se|layer0\.)": "a ResNet with squeeze-and-excitation",
    r"^repeat(_\d)?\.|^Conv2d_2b_3x3.*Mixed_6a": "an Inception-ResNet",
}
