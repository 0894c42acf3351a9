"""Multi-layer perceptron: fully connected layers on the pixels.

| layer     | output    | weights at 32x32x3, layers=(100,) |
|-----------|-----------|-----------------------------------|
| fc1 ...   | layers[i] | 307,200                           |
| logits    | classes   | 1,000                             |

The 2-layer net 3072-100-10 has 308,200 weights (308,310 parameters), the 3-layer net
3072-100-100-10 has 318,200 weights (318,410 parameters).

Dropout may stand after every hidden layer, and on the pixels (`input`): one rate for all means the
hidden layers, the pixels have theirs in a map (Srivastava et al. 2014: 0.2 and 0.5).

Nothing differs from the papers of which the network is a row in `published_facts.json`; where they
say how the weights begin, the recipe says so too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax

from cnn_jax.config.values import Width
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

DEEPEST = 16
INPUT = "input"  # the place of the dropout on the pixels


class MLP(Network):
    """Hidden layers of the given widths, then a linear classifier.

    Attributes:
        layers: widths of the hidden layers.
        output_activation: of the output units, for `train.loss = "mean_squared_error"`.
    """

    layers: tuple[Width, ...] = (100,)
    output_activation: Literal["linear", "scaled_tanh"] = "linear"

    small = SmallForm({"width": 0.5})
    published: ClassVar[Published] = Published(
        kernel_init={"*": "he_normal", "logits": "gaussian(std=0.001)"},
        dropout=dict.fromkeys([INPUT, *(f"fc{i}" for i in range(1, DEEPEST + 1))], 0.0),
    )

    def dropout_rates(self) -> dict[str, Any]:
        """Returns the rate at every place; one number for all leaves the pixels alone."""
        rates = super().dropout_rates()
        in_words = isinstance(self.dropout_rate, str | Mapping)
        return rates if in_words else rates | {INPUT: 0.0}

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C)."""
        x = self.dropout(INPUT, self.flatten(images), train)
        for i, features in enumerate(self.layers, start=1):
            x = self.dense(f"fc{i}", x, self.hidden(features))
            x = self.activate(f"fc{i}", x, train)
            x = self.dropout(f"fc{i}", x, train)
        return Prediction(self.logits("logits", x, self.output_activation), {})
