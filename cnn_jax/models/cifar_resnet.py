"""ResNet for CIFAR, of any depth, and its plain twin.

K. He, X. Zhang, S. Ren, J. Sun (2015), Deep Residual Learning for Image Recognition, CVPR 2016,
arXiv:1512.03385, section 4.2 and Table 6; with bottlenecks, the baseline of the same (2016),
Identity Mappings in Deep Residual Networks, arXiv:1603.05027, Table 3. At 32x32x3, with n blocks in
each stage:

| layer   | output   | basic, 6n+2 layers | output    | bottleneck, 9n+2 layers |
|---------|----------|--------------------|-----------|-------------------------|
| conv1   | 32x32x16 | 3x3                | 32x32x16  | 3x3                     |
| stage1_ | 32x32x16 | n blocks           | 32x32x64  | n blocks                |
| stage2_ | 16x16x32 | n blocks           | 16x16x128 | n blocks                |
| stage3_ | 8x8x64   | n blocks           | 8x8x256   | n blocks                |
| gap     | 64       | average            | 256       | average                 |
| logits  | 10       | dense              | 10        | dense                   |

| depth | 20      | 32      | 44      | 56      | 110       | 1202       | 164, bottleneck |
|-------|---------|---------|---------|---------|-----------|------------|-----------------|
|       | 269,722 | 464,154 | 658,586 | 853,018 | 1,727,962 | 19,421,274 | 1,704,154       |

The plain twins have as many. Batch norm stands after every convolution, and none has a bias.

Differs from the paper:
- The classifier starts from N(0, 0.01^2), as in Goyal et al. 2017, arXiv:1706.02677, section 5.1.
  At 1202 layers the first loss is 1.15 ln C all the same: 200 blocks a stage add to the features.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Depth
from cnn_jax.models.layered import PUBLISHED
from cnn_jax.models.network import Prediction, SmallForm
from cnn_jax.models.residual_blocks import ResidualBlock
from cnn_jax.models.residual_network import OriginalResidualNetwork

STAGES: Final = 3
LAYERS: Final = {"basic": 2, "bottleneck": 3}  # of a block
PUBLISHED_SHORTCUT: Final = {"basic": "A", "bottleneck": "B"}


class CifarResNet(OriginalResidualNetwork):
    """ResNet-20, 32, 44, 56, 110, 164 and 1202.

    Attributes:
        depth: layers with weights: 6n + 2, or 9n + 2 with bottlenecks; without effect where
            `blocks` is given.
        block: `basic` or `bottleneck`.
        shortcut: `A`, the identity, padded with zeros; `B`, a projection where the maps change;
            `C`, projections everywhere; published are A with basic blocks and B with bottlenecks.
            Without effect where `residual` is False.
    """

    depth: Depth = 20
    block: Literal["basic", "bottleneck"] = "basic"
    shortcut: Literal["published", "A", "B", "C"] = PUBLISHED

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
        shortcut = published if self.shortcut == PUBLISHED else self.shortcut
        x = self.conv_unit("conv1", images, self.hidden(16), 3, train, padding=1)
        for i, blocks in enumerate(self.stages()):
            x = self.stage(
                ResidualBlock,
                f"stage{i + 1}",
                blocks,
                x,
                train,
                first={"strides": 1 if i == 0 else 2},
                features=self.hidden(16 * 2**i),
                bottleneck=self.block == "bottleneck",
                shortcut=shortcut if self.residual else "none",
                zero_init=self.zero_init_residual,
            )
        x = self.dropout("gap", self.global_average_pool("gap", x), train)
        return Prediction(self.logits("logits", x), {})


def blocks_of_depth(depth: int, block: str) -> tuple[int, ...]:
    """Returns the blocks of each stage of a network for CIFAR.

    Args:
        depth: layers with weights: those of the blocks, conv1 and the classifier.
        block: a key of `LAYERS`.

    Raises:
        InputError: no number of such blocks has this depth.
    """
    period = STAGES * LAYERS[block]
    blocks, rest = divmod(depth - 2, period)
    if blocks >= 1 and not rest:
        return (blocks,) * STAGES
    nearest = [period * n + 2 for n in (blocks, blocks + 1) if n >= 1]
    others = [name for name, n in LAYERS.items() if depth > 2 and (depth - 2) % (STAGES * n) == 0]
    raise InputError(
        f"depth = {depth}: with block = {block!r} it is {period}n + 2, nearest "
        f"{' and '.join(map(str, nearest or [period + 2]))}"
        + "".join(f"; block = {name!r} has {depth}" for name in others)
    )
