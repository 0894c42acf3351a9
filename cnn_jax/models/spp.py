"""SPP-net: ZF-5 and OverFeat-7 with a spatial pyramid in place of the last pooling.

K. He, X. Zhang, S. Ren, J. Sun (2014), Spatial Pyramid Pooling in Deep Convolutional Networks for
Visual Recognition, ECCV, arXiv:1406.4729, sections 2 and 3.1 and Tables 1 and 2. The pyramid makes
6x6 + 3x3 + 2x2 + 1 = 50 features of each map, of images of any size. At 224x224x3 and 1000 classes:

| `zf5`          | output    | parameters | `overfeat7`    | output    |  parameters |
|----------------|-----------|-----------:|----------------|-----------|------------:|
| conv1 to conv5 | 13x13x256 |  3,726,464 | conv1 to conv7 | 18x18x512 |  11,248,256 |
| spp5           | 12800     |          0 | spp7           | 25600     |           0 |
| fc6            | 4096      | 52,432,896 | fc1            | 4096      | 104,861,696 |
| fc7            | 4096      | 16,781,312 | fc2            | 4096      |  16,781,312 |
| fc8            | 1000      |  4,097,000 | fc3            | 1000      |   4,097,000 |
| total          |           | 77,037,672 | total          |           | 136,988,264 |

The convolutions are those of `zfnet` and `overfeat`, whose tables and notes hold here.
The initialisation of `zf5` is that of the authors' Caffe file Zeiler_conv5: a standard deviation of
0.01, biases of 1 in conv2, conv4, conv5 and fc6 to fc8.

`zf5` differs from the authors' file:
- There conv1 is padded by 1 pixel, and normalisation stands before pooling and sums over 3x3 pixels
  of one map. Both give the same map sizes.

Both variants differ from the paper:
- Bins are cut as in section 3.2 at every size; the equal windows of section 2.3, where training has
  one size, are the same on 13x13 and 18x18 maps.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax

from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm
from cnn_jax.models.overfeat import OverFeat, overfeat_maps
from cnn_jax.models.zfnet import MAPS, ZFNet, zf_maps

ZF5: Final = Published(
    kernel_init=ZFNet.published.kernel_init,
    bias_init={"*": "constant(value=1)", "conv1": "zeros", "conv3": "zeros"},
    dropout=ZFNet.published.dropout,
)


class SPPNet(Network):
    """SPP-net: 77,037,672 parameters on ZF-5, 136,988,264 on OverFeat-7.

    Attributes:
        variant: the convolutions, `zf5` or `overfeat7`.
        levels: bins along a side in each level of the pyramid; section 3.1.2 has (4, 3, 2, 1) too.
    """

    variant: Literal["zf5", "overfeat7"] = "zf5"
    levels: tuple[int, ...] = (6, 3, 2, 1)

    small = SmallForm({"width": 0.04, "levels": (2, 1)}, image_size=48)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What is printed of the network that the pyramid is built on."""
        return ZF5 if self.variant == "zf5" else OverFeat.published

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 36."""
        if self.variant == "zf5":
            x = zf_maps(self, images, MAPS["paper"], train)
            x = self.spatial_pyramid_pool("spp5", x, self.levels)
            return classify(self, x, train, ("fc6", "fc7", "fc8"))
        x = overfeat_maps(self, images, train)
        x = self.spatial_pyramid_pool("spp7", x, self.levels)
        return classify(self, x, train, ("fc1", "fc2", "fc3"))
