"""The CIFAR-10 network of cuda-convnet with 11 % error, whose last maps are locally connected.

A. Krizhevsky, cuda-convnet (software), layers-conv-local-11pct.cfg; quoted in A. Krizhevsky,
I. Sutskever, G. E. Hinton (2012), ImageNet Classification with Deep Convolutional Neural Networks,
NIPS, section 3.3. At 24x24x3 (crops of 32x32) and ten classes:

| layer  | output   |                               | parameters |
|--------|----------|-------------------------------|-----------:|
| conv1  | 24x24x64 | 5x5, padding 2, ReLU          |      4,864 |
| pool1  | 12x12x64 | 3x3/2 max                     |          0 |
| rnorm1 | 12x12x64 | over 9 maps                   |          0 |
| conv2  | 12x12x64 | 5x5, padding 2, ReLU          |    102,464 |
| rnorm2 | 12x12x64 | over 9 maps                   |          0 |
| pool2  | 6x6x64   | 3x3/2 max                     |          0 |
| local3 | 6x6x64   | 3x3 unshared, padding 1, ReLU |  1,329,408 |
| local4 | 6x6x32   | 3x3 unshared, padding 1, ReLU |    664,704 |
| fc10   | 10       | dense, softmax                |     11,530 |
|        |          | total                         |  2,112,970 |

Normalisation stands after the pooling in the first stage and before it in the second. Its sum is
weighted by 0.001 / 9, to the power 0.75, k = 1. Weights have standard deviations of 0.0001 (conv1),
0.01 (conv2, fc10) and 0.04 (local3, local4); biases are 0. Pooling rounds up.

Differs from the paper:
- Section 3.3 prints the errors alone: the layers and their constants are those of the file.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from cnn_jax.layers.locally_connected import LocallyConnected
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class CudaConvNet(Network):
    """cuda-convnet's network with 11 % error on CIFAR-10: 2,112,970 parameters at 24x24."""

    small = SmallForm({"width": 0.1}, image_size=16)
    published: ClassVar[Published] = Published(
        kernel_init={
            "*": "gaussian(std=0.01)",
            "conv1": "gaussian(std=0.0001)",
            "local3": "gaussian(std=0.04)",
            "local4": "gaussian(std=0.04)",
        },
        dropout={"local3": 0.0, "local4": 0.0},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W those the parameters are made for."""
        x = self.conv_unit("conv1", images, self.hidden(64), 5, train, padding=2)
        x = self._pool("pool1", x)
        x = self._response_norm("rnorm1", x)
        x = self.conv_unit("conv2", x, self.hidden(64), 5, train, padding=2)
        x = self._response_norm("rnorm2", x)
        x = self._pool("pool2", x)
        x = self._local("local3", x, 64, train)
        x = self._local("local4", x, 32, train)
        return Prediction(self.logits("fc10", self.flatten(x)), {})

    def _pool(self, name: str, x: jax.Array) -> jax.Array:
        return self.max_pool(name, x, 3, strides=2, rounding="ceil")

    def _response_norm(self, name: str, x: jax.Array) -> jax.Array:
        how = {"size": 9, "k": 1.0, "alpha": 1e-3, "beta": 0.75, "alpha_is_divided_by_size": True}
        return self.local_response_norm(name, x, **how)

    def _local(self, name: str, x: jax.Array, features: int, train: bool) -> jax.Array:
        features = self.hidden(features) * self._pieces(True)
        x = self.learned(name, LocallyConnected, x, features=features, kernel_size=3, padding=1)
        return self.dropout(name, self.activate(name, x, train), train)
