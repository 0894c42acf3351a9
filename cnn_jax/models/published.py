"""What a paper prints about the layers of its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PUBLISHED: Final = "published"  # the word in a knob that means: what the paper prints


@dataclass(frozen=True)
class Published:
    """What the paper prints for each layer: the meaning of the word `published`.

    Layers inside a part of the network are named `part/layer`.

    Attributes:
        activation: name of the nonlinearity.
        kernel_init: layer or part -> initialiser, `*` for the rest.
        bias_init: the same for biases.
        norm: `none` or `batch`.
        dropout: layer name -> rate, every place where it can stand; 0 where the paper has none.
        batch_norm: arguments of `BatchNorm`, where they are not its defaults.
        bias_under_norm: whether a convolution keeps its bias where batch norm shifts its output.
    """

    activation: str = "relu"
    kernel_init: Mapping[str, str] = field(default_factory=lambda: {"*": "he_normal"})
    bias_init: Mapping[str, str] = field(default_factory=lambda: {"*": "zeros"})
    norm: str = "none"
    dropout: Mapping[str, float] = field(default_factory=dict)
    batch_norm: Mapping[str, Any] = field(default_factory=dict)
    bias_under_norm: bool = True
