"""LeNet-1: the network of LeCun et al. 1990, to which the later ones are compared.

Y. LeCun, B. Boser, J. S. Denker, D. Henderson, R. E. Howard, W. Hubbard, L. D. Jackel (1990),
Handwritten Digit Recognition with a Back-Propagation Network, NIPS 2, section 5; LeNet-1 in LeCun
et al. 1998, Proc. IEEE 86(11), section III.C. At 28x28x1 and ten classes, H1 to H4 of 1990 under
the names that LeNet-5 has:

| layer  | output   | what                             | parameters | connections |
|--------|----------|----------------------------------|-----------:|------------:|
| C1     | 24x24x4  | 5x5                              |        104 |      59,904 |
| S2     | 12x12x4  | 2x2 sum, coefficient and bias    |          8 |       2,880 |
| C3     | 8x8x12   | 20 filters 5x5, see the table    |        512 |      32,768 |
| S4     | 4x4x12   | 2x2 sum, coefficient and bias    |         24 |         960 |
| OUTPUT | 10       | dense                            |      1,930 |       1,930 |
|        |          | total, as printed in 1990        |      2,578 |      98,442 |

C3 maps see one or two maps of S2 (table 1 of 1990): 1, 4, 7 and 10 one, the others two. Every
layer, OUTPUT too, squashes its sums by 1.7159 tanh(2x/3); targets are +1 and -1, the loss
`train.loss = "mean_squared_error"`. Weights are drawn from +-2.4 / fan-in. `width` gives
max(1, round(width)) whole copies of all maps.

Differs from the paper:
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

MAPS: Final = 4
# Table 1 of 1990: the maps of S2 that each map of C3 sees.
C3_CONNECTIONS: Final[Table] = (
    *((0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1)),
    *((2,), (2, 3), (2, 3), (3,), (2, 3), (2, 3)),
)


class LeNet1(Network):
    """LeNet-1: 2,578 parameters at ten classes.

    Attributes:
        output_activation: of the output units; `linear` for a softmax over them.
    """

    output_activation: Literal["scaled_tanh", "linear"] = "scaled_tanh"

    small = SmallForm({})
    has_maxout = False  # the table has no place for several filters of a unit
    published: ClassVar[Published] = Published(
        activation="scaled_tanh", kernel_init={"*": "lecun_1998_uniform"}
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the outputs for images (B, H, W, C), H and W at least 16."""
        copies = max(1, round(self.width))
        table = copied(C3_CONNECTIONS, MAPS, copies)
        x = self.activate("C1", self.conv("C1", images, MAPS * copies, 5), train)
        x = subsample(self, "S2", x, train)
        x = self.learned("C3", PartialConv, x, connections=table, kernel_size=5)
        x = self.activate("C3", x, train)
        x = subsample(self, "S4", x, train)
        return Prediction(self.logits("OUTPUT", self.flatten(x), self.output_activation), {})
