"""LeNet-4: LeNet-1 on larger images, with more maps and a layer of hidden units.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-Based Learning Applied to Document
Recognition, Proc. IEEE 86(11), section III.C, and Y. LeCun et al. (1995), Comparison of Learning
Algorithms for Handwritten Digit Recognition, ICANN. At 32x32x1 and ten classes:

| layer  | output   | what                                  | parameters | connections |
|--------|----------|---------------------------------------|-----------:|------------:|
| C1     | 28x28x4  | 5x5                                   |        104 |      81,536 |
| S2     | 14x14x8  | 2x2 sum, two maps of each map of C1   |         16 |       7,840 |
| C3     | 10x10x16 | 48 filters 5x5, three a map           |      1,216 |     121,600 |
| S4     | 5x5x16   | 2x2 sum, coefficient and bias         |         32 |       2,000 |
| F5     | 120      | dense                                 |     48,120 |      48,120 |
| OUTPUT | 10       | dense                                 |      1,210 |       1,210 |
|        |          | total                                 |     50,698 |     262,306 |

The paper prints about 260,000 connections, which leave C3 three maps of S2 each, and about 17,000
free parameters, fewer than F5 has alone if it is fully connected, as the same sentence says. Every
layer, OUTPUT too, squashes its sums by 1.7159 tanh(2x/3); targets are +1 and -1, the loss
`train.loss = "mean_squared_error"`. Weights are drawn from +-2.4 / fan-in. `width` scales F5; C1 to
S4 come in max(1, round(width)) whole copies.

Differs from the paper:
- Which maps of S2 a map of C3 sees is chosen: three that stand on different maps of C1.
- 50,698 parameters; the paper prints about 17,000 and no table from which they could come.
- Biases start at zero.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import flax.linen as nn
import jax

from cnn_jax.layers.partial_convolution import PartialConv
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm
from cnn_jax.models.subsampled_maps import Table, copied, subsample

C1_MAPS: Final = 4
S2_MAPS: Final = 2 * C1_MAPS  # 2 i and 2 i + 1 stand on map i of C1
# The maps of S2 that each map of C3 sees: each of them six times.
C3_CONNECTIONS: Final[Table] = (
    *(tuple(sorted((i, (i + 2) % S2_MAPS, (i + 4) % S2_MAPS))) for i in range(S2_MAPS)),
    *(tuple(sorted((i, (i + 3) % S2_MAPS, (i + 6) % S2_MAPS))) for i in range(S2_MAPS)),
)


class LeNet4(Network):
    """LeNet-4: 50,698 parameters at ten classes.

    Attributes:
        output_activation: of the output units; `linear` for a softmax over them.
    """

    output_activation: Literal["scaled_tanh", "linear"] = "scaled_tanh"

    small = SmallForm({"width": 0.3})
    has_maxout = False  # the table has no place for several filters of a unit
    published: ClassVar[Published] = Published(
        activation="scaled_tanh",
        kernel_init={"*": "lecun_1998_uniform"},
        dropout={"F5": 0.0},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the outputs for images (B, H, W, C), H and W at least 16."""
        copies = max(1, round(self.width))
        table = copied(C3_CONNECTIONS, S2_MAPS, copies)
        x = self.activate("C1", self.conv("C1", images, C1_MAPS * copies, 5), train)
        x = subsample(self, "S2", x, train, maps=2)
        x = self.learned("C3", PartialConv, x, connections=table, kernel_size=5)
        x = self.activate("C3", x, train)
        x = subsample(self, "S4", x, train)
        x = self.activate("F5", self.dense("F5", self.flatten(x), self.hidden(120)), train)
        x = self.dropout("F5", x, train)
        return Prediction(self.logits("OUTPUT", x, self.output_activation), {})
