"""ResNet for ImageNet, as published and with the strides of torchvision; and its plain twin.

K. He, X. Zhang, S. Ren, J. Sun (2015), Deep Residual Learning for Image Recognition, CVPR 2016,
arXiv:1512.03385, sections 3.3 and 3.4, Table 1 and Figure 3. At 224x224x3, with the number of basic
blocks in each stage, and with that of bottlenecks:

| layer      | output     |         18 |         34 |
|------------|------------|-----------:|-----------:|
| conv1      | 112x112x64 |      7x7/2 |      7x7/2 |
| pool1      | 56x56x64   |  3x3/2 max |  3x3/2 max |
| conv2_     | 56x56x64   |          2 |          3 |
| conv3_     | 28x28x128  |          2 |          4 |
| conv4_     | 14x14x256  |          2 |          6 |
| conv5_     | 7x7x512    |          2 |          3 |
| gap        | 512        |    average |    average |
| logits     | 1000       |      dense |      dense |
| parameters |            | 11,689,512 | 21,797,672 |

| layer      | output     |         50 |        101 |        152 |
|------------|------------|-----------:|-----------:|-----------:|
| conv1      | 112x112x64 |      7x7/2 |      7x7/2 |      7x7/2 |
| pool1      | 56x56x64   |  3x3/2 max |  3x3/2 max |  3x3/2 max |
| conv2_     | 56x56x256  |          3 |          3 |          3 |
| conv3_     | 28x28x512  |          4 |          4 |          8 |
| conv4_     | 14x14x1024 |          6 |         23 |         36 |
| conv5_     | 7x7x2048   |          3 |          3 |          3 |
| gap        | 2048       |    average |    average |    average |
| logits     | 1000       |      dense |      dense |      dense |
| parameters |            | 25,557,032 | 44,549,160 | 60,192,808 |

A basic block has the layers `a` and `b`, a bottleneck `a`, `b` and `c`, and both have `shortcut`
where it projects; see `residual_blocks`. Batch norm stands after every convolution, and no
convolution has a bias. With shortcut A, or plain, 18 has 11,515,688 and 34 21,623,848 parameters;
34 with shortcut C 22,716,840.

`v1` differs from the paper:
- The classifier starts from N(0, 0.01^2), as in Goyal et al. 2017, arXiv:1706.02677, section 5.1.

`v1.5` differs from the paper as `v1`, and:
- The strides of a bottleneck stand in its 3x3 convolution, not in the first 1x1.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.models.network import Prediction, SmallForm
from cnn_jax.models.residual_blocks import ResidualBlock
from cnn_jax.models.residual_network import OriginalResidualNetwork

BLOCKS: Final = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
STRIDED: Final = {"v1": "a", "v1.5": "b"}
SHALLOWEST_BOTTLENECK: Final = 50


class ResNet(OriginalResidualNetwork):
    """ResNet-18, 34, 50, 101 and 152.

    Attributes:
        depth: layers with weights; from 50 on the blocks are bottlenecks.
        variant: `v1` as printed, or `v1.5`, the form of torchvision; they differ in bottlenecks.
        shortcut: `A`, the identity, padded with zeros; `B`, a projection where the maps change;
            `C`, projections everywhere. Without effect where `residual` is False.
    """

    depth: int = 50
    variant: Literal["v1", "v1.5"] = "v1"
    shortcut: Literal["A", "B", "C"] = "B"

    small = SmallForm({"width": 0.1, "blocks": (1, 1)}, image_size=32)

    def blocks_of_depth(self) -> tuple[int, ...]:
        """Returns the blocks of each stage, Table 1."""
        return BLOCKS[self.depth]

    def check(self) -> None:
        """Checks depth, blocks and starting scales."""
        if self.depth not in BLOCKS:
            raise InputError(f"depth = {self.depth}: Table 1 has {', '.join(map(str, BLOCKS))}")
        super().check()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), of any size."""
        x = self.conv_unit("conv1", images, self.hidden(64), 7, train, strides=2, padding=3)
        x = self.max_pool("pool1", x, 3, strides=2, padding=1)
        for i, blocks in enumerate(self.stages()):
            x = self.stage(
                ResidualBlock,
                f"conv{i + 2}",
                blocks,
                x,
                train,
                first={"strides": 1 if i == 0 else 2},
                features=self.hidden(64 * 2**i),
                bottleneck=self.depth >= SHALLOWEST_BOTTLENECK,
                strided=STRIDED[self.variant],
                shortcut=self.shortcut if self.residual else "none",
                zero_init=self.zero_init_residual,
            )
        x = self.dropout("gap", self.global_average_pool("gap", x), train)
        return Prediction(self.logits("logits", x), {})
