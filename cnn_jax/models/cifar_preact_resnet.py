"""ResNet for CIFAR with pre-activation, of any depth.

K. He, X. Zhang, S. Ren, J. Sun (2016), Identity Mappings in Deep Residual Networks, ECCV 2016,
arXiv:1603.05027, section 4.1, Figure 4e, Tables 3 and 4, appendix. At 32x32x3, n blocks a stage:

| layer    | output    | bottleneck, 9n+2 layers | output   | basic, 6n+2 layers |
|----------|-----------|-------------------------|----------|--------------------|
| conv1    | 32x32x16  | 3x3                     | 32x32x16 | 3x3                |
| stage1_  | 32x32x64  | n blocks                | 32x32x16 | n blocks           |
| stage2_  | 16x16x128 | n blocks                | 16x16x32 | n blocks           |
| stage3_  | 8x8x256   | n blocks                | 8x8x64   | n blocks           |
| postnorm | 8x8x256   | batch norm, ReLU        | 8x8x64   | batch norm, ReLU   |
| gap      | 256       | average                 | 64       | average            |
| logits   | 10        | dense                   | 10       | dense              |

| depth | 110, basic | 164       | 1001       | 1202, basic |
|-------|------------|-----------|------------|-------------|
|       | 1,727,962  | 1,703,258 | 10,327,706 | 19,421,274  |

A layer `a` of a block stands after `a_preact`, its batch norm and ReLU, and so on. In the first
block of a stage the first activation stands before the residual and the shortcut part. The strides
of a bottleneck stand in its first 1x1 convolution.

Differs from the paper:
- The classifier starts from N(0, 0.01^2), as in Goyal et al. 2017, arXiv:1706.02677, section 5.1.
"""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax

from cnn_jax.config.values import Depth
from cnn_jax.models.cifar_resnet import PUBLISHED_SHORTCUT, blocks_of_depth
from cnn_jax.models.layered import PUBLISHED
from cnn_jax.models.network import Prediction, SmallForm
from cnn_jax.models.residual_blocks import PreActivationBlock
from cnn_jax.models.residual_network import ResidualNetwork


class CifarPreActResNet(ResidualNetwork):
    """ResNet-110, 164, 1001 and others with pre-activation.

    Attributes:
        depth: layers with weights: 9n + 2, or 6n + 2 with basic blocks; without effect where
            `blocks` is given.
        block: `bottleneck` or `basic`.
        shortcut: `A`, the identity, padded with zeros, or `B`, a projection, where the maps change;
            published are A with basic blocks and B with bottlenecks.
    """

    depth: Depth = 164
    block: Literal["bottleneck", "basic"] = "bottleneck"
    shortcut: Literal["published", "A", "B"] = PUBLISHED

    small = SmallForm({"width": 0.5, "blocks": (1, 1, 1)}, image_size=16)

    def blocks_of_depth(self) -> tuple[int, ...]:
        """Returns the blocks of each stage.

        Raises:
            InputError: no number of such blocks has this depth.
        """
        return blocks_of_depth(self.depth, self.block)

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), of any size."""
        published = PUBLISHED_SHORTCUT[self.block]
        x = self.conv("conv1", images, self.hidden(16), 3, padding=1)
        for i, blocks in enumerate(self.stages()):
            x = self.stage(
                PreActivationBlock,
                f"stage{i + 1}",
                blocks,
                x,
                train,
                first={"strides": 1 if i == 0 else 2, "activates_both": True},
                features=self.hidden(16 * 2**i),
                bottleneck=self.block == "bottleneck",
                shortcut=published if self.shortcut == PUBLISHED else self.shortcut,
            )
        x = self.activate("postnorm", x, train)
        x = self.dropout("gap", self.global_average_pool("gap", x), train)
        return Prediction(self.logits("logits", x), {})
