"""Network in Network, for CIFAR-10.

M. Lin, Q. Chen, S. Yan (2014), Network In Network, ICLR, arXiv:1312.4400, section 4; widths, names
and poolings are those of the authors' file (mavenlin/cuda-convnet at 9f9e707, NIN/cifar-10_def). At
32x32x3 and ten classes, a ReLU after every convolution:

| layer | output    |                | parameters |
|-------|-----------|----------------|-----------:|
| conv1 | 32x32x192 | 5x5, padding 2 |     14,592 |
| cccp1 | 32x32x160 | 1x1            |     30,880 |
| cccp2 | 32x32x96  | 1x1            |     15,456 |
| pool1 | 16x16x96  | 3x3/2 max      |          0 |
| conv2 | 16x16x192 | 5x5, padding 2 |    460,992 |
| cccp3 | 16x16x192 | 1x1            |     37,056 |
| cccp4 | 16x16x192 | 1x1            |     37,056 |
| pool2 | 8x8x192   | 3x3/2 max      |          0 |
| conv3 | 8x8x192   | 3x3, padding 1 |    331,968 |
| cccp5 | 8x8x192   | 1x1            |     37,056 |
| cccp6 | 8x8x10    | 1x1            |      1,930 |
| gap   | 10        | average        |          0 |
|       |           | total          |    966,986 |

Dropout of 50 % after pool1 and pool2. Pooling rounds up. The maps of cccp6 are the classes: they
have the nonlinearity, but never batch norm.

Differs from the paper:
- Initialisation, chosen: He et al.'s; for cccp6 a standard deviation of 0.01, and biases of 1, so
  that no class starts below its ReLU, where it would get no gradient. The authors' file has
  `kernel_init="gaussian(std=0.05)", bias_init="zeros"`, as configs/cifar10/nin.py has it.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class NIN(Network):
    """Network in Network for CIFAR-10: 966,986 parameters."""

    small = SmallForm({"width": 0.1}, image_size=16)
    published: ClassVar[Published] = Published(
        kernel_init={"*": "he_normal", "cccp6": "gaussian(std=0.01)"},
        bias_init={"*": "zeros", "cccp6": "ones"},
        dropout={"pool1": 0.5, "pool2": 0.5},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 5."""
        how = {"strides": 2, "rounding": "ceil"}
        x = self._unit("conv1", images, 192, 5, train)
        x = self._unit("cccp1", x, 160, 1, train)
        x = self._unit("cccp2", x, 96, 1, train)
        x = self.dropout("pool1", self.max_pool("pool1", x, 3, **how), train)
        x = self._unit("conv2", x, 192, 5, train)
        x = self._unit("cccp3", x, 192, 1, train)
        x = self._unit("cccp4", x, 192, 1, train)
        x = self.dropout("pool2", self.max_pool("pool2", x, 3, **how), train)
        x = self._unit("conv3", x, 192, 3, train)
        x = self._unit("cccp5", x, 192, 1, train)
        x = self.conv("cccp6", x, self.num_classes, 1, use_bias=True)
        x = self.activate("cccp6", x, train, normalise=False)
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        return Prediction(self.global_average_pool("gap", x), {})

    def _unit(self, name: str, x: jax.Array, maps: int, size: int, train: bool) -> jax.Array:
        return self.conv_unit(name, x, self.hidden(maps), size, train, padding=size // 2)
