"""ResNet for ImageNet with pre-activation.

K. He, X. Zhang, S. Ren, J. Sun (2016), Identity Mappings in Deep Residual Networks, ECCV 2016,
arXiv:1603.05027, sections 4.1 and 5, Figure 4e and Table 5. At 224x224x3, with the number of basic
blocks in each stage, and with that of bottlenecks:

| layer      | output     |         18 |         34 |
|------------|------------|-----------:|-----------:|
| conv1      | 112x112x64 |      7x7/2 |      7x7/2 |
| pool1      | 56x56x64   |  3x3/2 max |  3x3/2 max |
| conv2_     | 56x56x64   |          2 |          3 |
| conv3_     | 28x28x128  |          2 |          4 |
| conv4_     | 14x14x256  |          2 |          6 |
| conv5_     | 7x7x512    |          2 |          3 |
| postnorm   | 7x7x512    |   BN, ReLU |   BN, ReLU |
| gap        | 512        |    average |    average |
| logits     | 1000       |      dense |      dense |
| parameters |            | 11,687,720 | 21,795,880 |

| layer      | output     |         50 |        101 |        152 |        200 |
|------------|------------|-----------:|-----------:|-----------:|-----------:|
| conv1      | 112x112x64 |      7x7/2 |      7x7/2 |      7x7/2 |      7x7/2 |
| pool1      | 56x56x64   |  3x3/2 max |  3x3/2 max |  3x3/2 max |  3x3/2 max |
| conv2_     | 56x56x256  |          3 |          3 |          3 |          3 |
| conv3_     | 28x28x512  |          4 |          4 |          8 |         24 |
| conv4_     | 14x14x1024 |          6 |         23 |         36 |         36 |
| conv5_     | 7x7x2048   |          3 |          3 |          3 |          3 |
| postnorm   | 7x7x2048   |   BN, ReLU |   BN, ReLU |   BN, ReLU |   BN, ReLU |
| gap        | 2048       |    average |    average |    average |    average |
| logits     | 1000       |      dense |      dense |      dense |      dense |
| parameters |            | 25,549,352 | 44,541,480 | 60,185,128 | 64,666,152 |

A layer `a` of a block stands after `a_preact`, its batch norm and ReLU, and so on; `postnorm` is
the batch norm and ReLU after the last sum. In the first block of a stage the first activation
stands before residual and shortcut part.

Differs from the paper:
- The first activation of the network stands after pool1, not right after conv1.
- The strides of a bottleneck stand in its 3x3 convolution, not in the first 1x1.
- The classifier starts from N(0, 0.01^2), as in Goyal et al. 2017, arXiv:1706.02677, section 5.1.
"""

from __future__ import annotations

from typing import Final

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.models.network import Prediction, SmallForm
from cnn_jax.models.residual_blocks import PreActivationBlock
from cnn_jax.models.residual_network import ResidualNetwork

BLOCKS: Final = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
SHALLOWEST_BOTTLENECK: Final = 50


class PreActResNet(ResidualNetwork):
    """ResNet-18, 34, 50, 101, 152 and 200 with pre-activation.

    Attributes:
        depth: layers with weights; from 50 on the blocks are bottlenecks.
    """

    depth: int = 50

    small = SmallForm({"width": 0.1, "blocks": (1, 1)}, image_size=32)

    def blocks_of_depth(self) -> tuple[int, ...]:
        """Returns the blocks of each stage."""
        return BLOCKS[self.depth]

    def check(self) -> None:
        """Checks depth and blocks."""
        if self.depth not in BLOCKS:
            raise InputError(f"depth = {self.depth}: allowed are {', '.join(map(str, BLOCKS))}")
        super().check()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), of any size."""
        x = self.conv("conv1", images, self.hidden(64), 7, strides=2, padding=3)
        x = self.max_pool("pool1", x, 3, strides=2, padding=1)
        for i, blocks in enumerate(self.stages()):
            x = self.stage(
                PreActivationBlock,
                f"conv{i + 2}",
                blocks,
                x,
                train,
                first={"strides": 1 if i == 0 else 2, "activates_both": True},
                features=self.hidden(64 * 2**i),
                bottleneck=self.depth >= SHALLOWEST_BOTTLENECK,
                strided="b",
            )
        x = self.activate("postnorm", x, train)
        x = self.dropout("gap", self.global_average_pool("gap", x), train)
        return Prediction(self.logits("logits", x), {})
