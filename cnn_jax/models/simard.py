"""The convolutional network of Simard, Steinkraus and Platt.

P. Y. Simard, D. Steinkraus, J. C. Platt (2003), Best Practices for Convolutional Neural Networks
Applied to Visual Document Analysis, ICDAR, section 3.1 and Figure 3. At 29x29x1 and ten classes:

| layer  | output  |                 | parameters |
|--------|---------|-----------------|-----------:|
| conv1  | 13x13x5 | 5x5, stride 2   |        130 |
| conv2  | 5x5x50  | 5x5, stride 2   |      6,300 |
| hidden | 100     | fully connected |    125,100 |
| output | 10      | fully connected |      1,010 |
|        |         | total           |    132,540 |

A convolution takes every second position: that is the subsampling of the paper, and there is no
pooling. The weights begin with a standard deviation of 0.05 (section 3).

Differs from the paper:
- Nothing that it says. It does not name the nonlinearity: here tanh.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class SimardNet(Network):
    """Two convolutions of stride 2 and two fully connected layers: 132,540 parameters."""

    small = SmallForm({"width": 0.4})
    published: ClassVar[Published] = Published(
        activation="tanh", kernel_init={"*": "gaussian(std=0.05)"}, dropout={"hidden": 0.0}
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 13."""
        x = self.conv_unit("conv1", images, self.hidden(5), 5, train, strides=2)
        x = self.conv_unit("conv2", x, self.hidden(50), 5, train, strides=2)
        x = self.dense("hidden", self.flatten(x), self.hidden(100))
        x = self.dropout("hidden", self.activate("hidden", x, train), train)
        return Prediction(self.logits("output", x), {})
