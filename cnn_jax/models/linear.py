"""Linear classifier: softmax on the pixels.

| layer  | output  | parameters at 32x32x3 |
|--------|---------|-----------------------|
| logits | classes | 30,730                |

At 28x28x1 it is the linear classifier of LeCun et al. 1998, Proc. IEEE 86(11), section III.C, of
7,850 parameters; nothing differs from the paper, which names linear and sigmoid output units.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import flax.linen as nn
import jax

from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class Linear(Network):
    """One fully connected layer on the flattened image.

    Attributes:
        output_activation: of the output units, for `train.loss = "mean_squared_error"`.
    """

    output_activation: Literal["linear", "scaled_tanh"] = "linear"

    small = SmallForm({})
    published: ClassVar[Published] = Published(
        activation="linear", kernel_init={"*": "gaussian(std=0.0001)"}
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C)."""
        x = self.flatten(images)
        return Prediction(self.logits("logits", x, self.output_activation), {})
