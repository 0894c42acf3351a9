"""ZFNet: AlexNet in one group with a finer first layer.

M. D. Zeiler, R. Fergus (2014), Visualizing and Understanding Convolutional Networks, ECCV,
arXiv:1311.2901, Figure 3 and section 3; the wider form in section 5.1 and Tables 2 and 3. At
224x224x3 and 1000 classes:

| layer          | output     |               | `paper`    | output      | `512_1024_512` |
|----------------|------------|---------------|-----------:|-------------|---------------:|
| conv1          | 110x110x96 | 7x7, stride 2 |     14,208 | 110x110x96  |         14,208 |
| pool1          | 55x55x96   | 3x3, stride 2 |          0 | 55x55x96    |              0 |
| contrast_norm1 | 55x55x96   | over 5 maps   |          0 | 55x55x96    |              0 |
| conv2          | 26x26x256  | 5x5, stride 2 |    614,656 | 26x26x256   |        614,656 |
| pool2          | 13x13x256  | 3x3, stride 2 |          0 | 13x13x256   |              0 |
| contrast_norm2 | 13x13x256  | over 5 maps   |          0 | 13x13x256   |              0 |
| conv3          | 13x13x384  | 3x3, pad 1    |    885,120 | 13x13x512   |      1,180,160 |
| conv4          | 13x13x384  | 3x3, pad 1    |  1,327,488 | 13x13x1024  |      4,719,616 |
| conv5          | 13x13x256  | 3x3, pad 1    |    884,992 | 13x13x512   |      4,719,104 |
| pool5          | 6x6x256    | 3x3, stride 2 |          0 | 6x6x512     |              0 |
| fc6            | 4096       | dense         | 37,752,832 | 4096        |     75,501,568 |
| fc7            | 4096       | dense         | 16,781,312 | 4096        |     16,781,312 |
| fc8            | 1000       | dense         |  4,097,000 | 1000        |      4,097,000 |
|                |            | total         | 62,357,608 |             |    107,627,624 |

Differs from the paper, in both variants:
- The paper gives no padding. None in conv1 and conv2, with convolution and pooling that round up as
  in cuda-convnet, gives the maps of Figure 3.
- The contrast normalisation "across feature maps" is local response normalisation with AlexNet's
  constants; the paper gives none.
- All weights "are initialized to 10^-2": drawn here with that standard deviation.
- Filters whose root mean square passes 0.1 are scaled back to it in training there; not here.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import flax.linen as nn
import jax

from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

MAPS: Final = {"paper": (384, 384, 256), "512_1024_512": (512, 1024, 512)}


class ZFNet(Network):
    """ZFNet: 62,357,608 parameters, 107,627,624 with wider conv3 to conv5.

    Attributes:
        variant: `paper`, or `512_1024_512`: the maps of conv3, conv4 and conv5.
    """

    variant: Literal["paper", "512_1024_512"] = "paper"

    small = SmallForm({"width": 0.05}, image_size=64)
    published: ClassVar[Published] = Published(
        kernel_init={"*": "gaussian(std=0.01)"},
        dropout={"fc6": 0.5, "fc7": 0.5},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 60."""
        x = zf_maps(self, images, MAPS[self.variant], train)
        x = self.max_pool("pool5", x, 3, strides=2, rounding="ceil")
        return classify(self, self.flatten(x), train, ("fc6", "fc7", "fc8"))


def zf_maps(network: Network, images: jax.Array, maps: tuple[int, ...], train: bool) -> jax.Array:
    """Returns the maps of conv5, (B, h, w, C), made by layers of `network`.

    Args:
        network: whose layers these are.
        images: a batch (B, H, W, C).
        maps: numbers of maps of conv3, conv4 and conv5.
        train: whether batch norm, if any, looks at the batch.
    """
    x = images
    halving = {"strides": 2, "rounding": "ceil"}
    for number, features, size in ((1, network.hidden(96), 7), (2, network.hidden(256), 5)):
        x = network.conv_unit(f"conv{number}", x, features, size, train, **halving)
        x = network.max_pool(f"pool{number}", x, 3, **halving)
        x = network.local_response_norm(f"contrast_norm{number}", x)
    for number, features in enumerate(maps, start=3):
        x = network.conv_unit(f"conv{number}", x, network.hidden(features), 3, train, padding=1)
    return x
