"""Which network a state dict is of, by names and shapes, where it is not the one asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cnn_jax.models import MODELS, Network
from cnn_jax.transfer.recognition import recognise


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
    """Returns which network a state dict looks like; None: like none known.

    Args:
        arrays: by name.
    """
    for pattern, words in ELSEWHERE.items():
        if any(re.search(pattern, name) for name in arrays):
            return Guess("", words=words)
    seen = recognise(dict(arrays))
    if seen is not None:
        return Guess(seen.network, seen.kwargs, seen.title, seen.num_classes)
    stages = _stages(arrays)
    return _residual(arrays, stages) if stages else None


def classes_of(arrays: Mapping[str, np.ndarray]) -> int | None:
    """Returns how many classes a state dict has, by its looks; None where that is not seen."""
    found = guess(arrays)
    return None if found is None else found.classes


def _stages(arrays: Mapping[str, np.ndarray]) -> list[int]:
    """Returns the number of residual blocks of each stage; `layer3.5.` is the third's sixth."""
    blocks: Counter[int] = Counter()
    for name in arrays:
        if match := re.match(r"layer(\d)\.(\d+)\.conv1\.weight", name):
            stage, block = map(int, match.groups())
            blocks[stage] = max(blocks[stage], block + 1)
    return [blocks[stage] for stage in sorted(blocks)]


def _residual(arrays: Mapping[str, np.ndarray], stages: list[int]) -> Guess:
    """A residual network that is not torchvision's ResNet."""
    bottleneck = any(name.startswith("layer1.0.conv3.") for name in arrays)
    layers = (3 if bottleneck else 2) * sum(stages) + 2
    stem, inner = arrays.get("conv1.weight"), arrays.get("layer1.0.conv2.weight")
    last = next((arrays[name] for name in CLASSIFIERS if name in arrays), None)
    classes = len(last) if last is not None and last.ndim else None
    maps, *window = (stem.shape[0], *stem.shape[2:]) if stem is not None else (0,)
    small = window == [3, 3]
    if small and maps == 16 and not bottleneck and stages == stages[:1] * 3:
        return Guess("cifar_resnet", {"depth": layers}, "", classes)
    what = "a residual network"
    if inner is not None and inner.ndim == 4 and inner.shape[1] != inner.shape[0]:
        what = "a ResNeXt, with grouped convolutions,"
    blocks = f"{what} of {layers} layers, {' + '.join(map(str, stages))} blocks"
    return Guess("", {}, f"{blocks}{', for small images' * small}", classes)


CLASSIFIERS: Final = ("fc.weight", "linear.weight", "classifier.weight")
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
