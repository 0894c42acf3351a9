"""OverFeat-7: the seven-convolution net of the SPP-net paper, without its pyramid.

K. He, X. Zhang, S. Ren, J. Sun (2014), Spatial Pyramid Pooling in Deep Convolutional Networks for
Visual Recognition, ECCV, arXiv:1406.4729, Table 1 and section 3.1; after P. Sermanet et al. (2013),
OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks,
arXiv:1312.6229. At 224x224x3 and 1000 classes:

| layer | output     |               | parameters  |
|-------|------------|---------------|------------:|
| conv1 | 109x109x96 | 7x7, stride 2 |      14,208 |
| pool1 | 36x36x96   | 3x3, stride 3 |           0 |
| norm1 | 36x36x96   | over 5 maps   |           0 |
| conv2 | 36x36x256  | 5x5, pad 2    |     614,656 |
| pool2 | 18x18x256  | 2x2, stride 2 |           0 |
| conv3 | 18x18x512  | 3x3, pad 1    |   1,180,160 |
| conv4 | 18x18x512  | 3x3, pad 1    |   2,359,808 |
| conv5 | 18x18x512  | 3x3, pad 1    |   2,359,808 |
| conv6 | 18x18x512  | 3x3, pad 1    |   2,359,808 |
| conv7 | 18x18x512  | 3x3, pad 1    |   2,359,808 |
| pool7 | 6x6x512    | 3x3, stride 3 |           0 |
| fc1   | 4096       | dense         |  75,501,568 |
| fc2   | 4096       | dense         |  16,781,312 |
| fc3   | 1000       | dense         |   4,097,000 |
|       |            | total         | 107,628,136 |

Differs from the paper:
- The paper prints neither padding nor initialisation: padding as above gives its map sizes;
  the standard deviation of 0.01 is OverFeat's.
- norm1 has AlexNet's constants; the paper gives none.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class OverFeat(Network):
    """OverFeat-7: 107,628,136 parameters."""

    small = SmallForm({"width": 0.04}, image_size=48)
    published: ClassVar[Published] = Published(
        kernel_init={"*": "gaussian(std=0.01)"},
        dropout={"fc1": 0.5, "fc2": 0.5},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 41."""
        x = overfeat_maps(self, images, train)
        x = self.max_pool("pool7", x, 3)
        return classify(self, self.flatten(x), train, ("fc1", "fc2", "fc3"))


def overfeat_maps(network: Network, images: jax.Array, train: bool) -> jax.Array:
    """Returns the maps of conv7, (B, h, w, C), made by layers of `network`.

    Args:
        network: whose layers these are.
        images: a batch (B, H, W, C).
        train: whether batch norm, if any, looks at the batch.
    """
    x = network.conv_unit("conv1", images, network.hidden(96), 7, train, strides=2)
    x = network.max_pool("pool1", x, 3)
    x = network.local_response_norm("norm1", x)
    x = network.conv_unit("conv2", x, network.hidden(256), 5, train, padding=2)
    x = network.max_pool("pool2", x, 2)
    for name in ("conv3", "conv4", "conv5", "conv6", "conv7"):
        x = network.conv_unit(name, x, network.hidden(512), 3, train, padding=1)
    return x
