"""LeNet as Caffe has it: the network of its MNIST example.

BVLC/caffe, examples/mnist/lenet_train_test.prototxt, after Y. LeCun, L. Bottou, Y. Bengio,
P. Haffner (1998), Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11).
At 28x28x1 and ten classes:

| layer | output   |                | parameters |
|-------|----------|----------------|-----------:|
| conv1 | 24x24x20 | 5x5            |        520 |
| pool1 | 12x12x20 | 2x2 max        |          0 |
| conv2 | 8x8x50   | 5x5            |     25,050 |
| pool2 | 4x4x50   | 2x2 max        |          0 |
| ip1   | 500      | dense, ReLU    |    400,500 |
| ip2   | 10       | dense, softmax |      5,010 |
|       |          | total          |    431,080 |

Differs from the paper:
- It is Caffe's network, not LeNet-5: widths, max pooling, a softmax output, and a single
  nonlinearity, the ReLU of ip1.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class CaffeLeNet(Network):
    """LeNet of Caffe's MNIST example: 431,080 parameters. `norm` and `activation` reach ip1."""

    small = SmallForm({"width": 0.2})
    published: ClassVar[Published] = Published(
        kernel_init={"*": "caffe_xavier"}, dropout={"ip1": 0.0}
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 14."""
        x = self._convolution("conv1", images, 20)
        x = self.max_pool("pool1", x, 2, rounding="ceil")
        x = self._convolution("conv2", x, 50)
        x = self.max_pool("pool2", x, 2, rounding="ceil")
        x = self.dense("ip1", self.flatten(x), self.hidden(500))
        x = self.dropout("ip1", self.activate("ip1", x, train), train)
        return Prediction(self.logits("ip2", x), {})

    def _convolution(self, name: str, x: jax.Array, features: int) -> jax.Array:
        return self.conv(name, x, self.hidden(features), 5, use_bias=True, activated=False)
