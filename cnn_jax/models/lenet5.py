"""LeNet-5 in its modern form.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-Based Learning Applied to Document
Recognition, Proc. IEEE 86(11), section II.B and Figure 2.

| layer  | kernel         | output at 32x32x1 | parameters |
|--------|----------------|-------------------|-----------:|
| C1     | 5x5            | 28x28x6           |        156 |
| S2     | 2x2 average    | 14x14x6           |          0 |
| C3     | 5x5            | 10x10x16          |      2,416 |
| S4     | 2x2 average    | 5x5x16            |          0 |
| C5     | 5x5            | 1x1x120           |     48,120 |
| F6     | dense          | 84                |     10,164 |
| OUTPUT | dense, softmax | 10                |        850 |
|        |                | total             |     61,706 |

Differs from the paper:
- C3 sees all maps of S2 (paper: the partial connections of Table I).
- S2 and S4 are plain pooling (paper: a trained coefficient and bias for each map, then the
  squashing function).
- tanh (paper: 1.7159 tanh(2x/3), here `activation="scaled_tanh"`).
- OUTPUT is a softmax layer (paper: Euclidean radial basis functions with fixed codes).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import flax.linen as nn
import jax

from cnn_jax.layers.pooling import average_pool, max_pool
from cnn_jax.models.network import Network, Prediction, Published

POOLINGS = {"average": average_pool, "max": max_pool}


class LeNet5(Network):
    """LeNet-5, modern form: 61,706 parameters at 32x32x1 and ten classes.

    Attributes:
        pooling: `average`, as the paper's sub-sampling, or `max`.
    """

    pooling: Literal["average", "max"] = "average"

    published: ClassVar[Published] = Published(
        activation="tanh",
        kernel_init={"*": "lecun_1998_uniform"},
        dropout={"C5": 0.0, "F6": 0.0},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 32."""
        pool = POOLINGS[self.pooling]
        x = self.activate("C1", self.conv("C1", images, self.hidden(6), 5), train)
        x = pool(x, 2)  # S2
        x = self.activate("C3", self.conv("C3", x, self.hidden(16), 5), train)
        x = pool(x, 2)  # S4
        x = self.activate("C5", self.conv("C5", x, self.hidden(120), 5), train)
        x = self.dropout("C5", x.reshape(x.shape[0], -1), train)
        x = self.activate("F6", self.dense("F6", x, self.hidden(84)), train)
        x = self.dropout("F6", x, train)
        return Prediction(self.logits("OUTPUT", x), {})
