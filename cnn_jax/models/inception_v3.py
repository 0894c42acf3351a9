"""Inception-v3: as released, as Keras ships it, and with the stem of the paper's Table 1.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016), Rethinking the Inception
Architecture for Computer Vision, CVPR, arXiv:1512.00567, section 6 and Table 1. At 299x299x3 and
1000 classes; the modules are those of `inception_v3_modules`:

| layer            | output     | `released`        |           | `paper`              |         |
|------------------|------------|-------------------|----------:|----------------------|--------:|
| Conv2d_1a_3x3    | 149x149x32 | 3x3/2             |       928 | the same             |         |
| Conv2d_2a_3x3    | 147x147x32 | 3x3               |     9,280 | the same             |         |
| Conv2d_2b_3x3    | 147x147x64 | 3x3, padded       |    18,560 | the same             |         |
| MaxPool_3a_3x3   | 73x73x64   | max 3/2           |         0 | the same             |         |
| Conv2d_3b_1x1    | 73x73x80   | 1x1               |     5,280 | Conv2d_3b_3x3,       |  46,240 |
|                  |            |                   |           | 71x71x80             |         |
| Conv2d_4a_3x3    | 71x71x192  | 3x3               |   138,624 | 3x3/2, 35x35x192     | 138,624 |
| MaxPool_5a_3x3   | 35x35x192  | max 3/2           |         0 | Conv2d_5a_3x3,       | 498,240 |
|                  |            |                   |           | padded, 35x35x288    |         |
| Mixed_5b         | 35x35x256  | Figure 5, p = 32  |   255,904 | sees 288 maps        | 280,480 |
| Mixed_5c         | 35x35x288  | Figure 5, p = 64  |   277,472 | the same from here   |         |
| Mixed_5d         | 35x35x288  | Figure 5, p = 64  |   285,152 |                      |         |
| Mixed_6a         | 17x17x768  | Figure 10         | 1,153,280 |                      |         |
| Mixed_6b         | 17x17x768  | Figure 6, n = 128 | 1,297,408 |                      |         |
| Mixed_6c, 6d     | 17x17x768  | Figure 6, n = 160 | 3,382,016 |                      |         |
| Mixed_6e         | 17x17x768  | Figure 6, n = 192 | 2,141,952 |                      |         |
| aux              | 1000       | auxiliary head    | 3,326,696 |                      |         |
| Mixed_7a         | 8x8x1280   | Figure 10         | 1,698,304 |                      |         |
| Mixed_7b         | 8x8x2048   | Figure 7          | 5,044,608 |                      |         |
| Mixed_7c         | 8x8x2048   | Figure 7          | 6,076,800 |                      |         |
| pool             | 2048       | average           |         0 |                      |         |
| linear           | 1000       | dense, softmax    | 2,049,000 |                      |         |

Without the auxiliary head 23,834,568 parameters in `released`, 23,817,352 in `keras`, 24,393,736
in `paper`. The head: average pooling 5x5/3, 1x1 with 128 maps, 5x5 with 768 (section 4).

Differs from the paper:
- Widths and names inside the modules are those of the released model.
- Initialisation, chosen: in `released` and `paper` a truncated normal with variance 2 / fan-in, but
  a standard deviation of 0.01 for conv1 of the head and 0.001 for the classes of the head, as
  TF-slim, and 0.001 for the classes of the network too; in `keras` Glorot & Bengio's uniform. The
  paper prints none.
- Epsilon of the batch norm is 0.001, as in all ports; convolutions have no biases.

`released` differs from the paper:
- The stem pools where Table 1 has a convolution of stride 2.
- Averages at the border count the padding as zeros, and dropout before the classes is 50 %: both
  are torchvision's. TF-slim averages over the image alone and drops 20 %.

`keras` differs from the paper:
- The stem is that of `released`.
- Batch norm has no scale and a momentum of 0.99; no dropout.
- Keras leaves the auxiliary head out: `auxiliary=False`.

`paper` differs from the paper:
- Dropout before the classes is 20 %, as in TF-slim; the paper prints none.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import flax.linen as nn
import jax

from cnn_jax.models.inception_family import AuxiliaryHead, stage_counts
from cnn_jax.models.inception_v3_modules import (
    Inception8,
    Inception17,
    Inception35,
    Reduction17,
    Reduction35,
    Towers,
)
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

Module = tuple[str, type[Towers], dict[str, Any]]
# The modules on each grid, and those that halve it.
GRIDS: Final[tuple[tuple[Module, ...], ...]] = (
    (
        ("Mixed_5b", Inception35, {"pool_maps": 32}),
        ("Mixed_5c", Inception35, {"pool_maps": 64}),
        ("Mixed_5d", Inception35, {"pool_maps": 64}),
    ),
    (
        ("Mixed_6b", Inception17, {"maps": 128}),
        ("Mixed_6c", Inception17, {"maps": 160}),
        ("Mixed_6d", Inception17, {"maps": 160}),
        ("Mixed_6e", Inception17, {"maps": 192}),
    ),
    (
        ("Mixed_7b", Inception8, {}),
        ("Mixed_7c", Inception8, {}),
    ),
)
DROPOUT: Final = {"released": 0.5, "keras": 0.0, "paper": 0.2}


class Head(AuxiliaryHead):
    """Auxiliary head with batch norm (section 4, and the last row of Table 3)."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the logits, (B, num_classes).

        Raises:
            InputError: the maps are below 17x17.
        """
        self.check_room(x, 17)
        x = self.average_pool("pool", x, 5, strides=3)
        x = self.conv_unit("conv0", x, self.hidden(128), 1, train)
        x = self.conv_unit("conv1", x, self.hidden(768), 5, train)
        return self.logits("linear", self.global_average_pool("global_pool", x))


class InceptionV3(Network):
    """Inception-v3: 23,834,568 parameters as released, 27,161,264 with its auxiliary head.

    Attributes:
        variant: `released`; `keras`, without the scales of batch norm; or `paper`, with the stem
            of Table 1.
        auxiliary: whether the auxiliary head exists; it runs in training and needs images of at
            least 299x299.
        modules: how many Inception modules the three grids keep, the first ones of each.
    """

    variant: Literal["released", "keras", "paper"] = "released"
    auxiliary: bool = True
    modules: tuple[int, ...] = (3, 4, 2)

    # The auxiliary head needs maps of 17x17: the images cannot be much smaller than published.
    small = SmallForm({"width": 0.05, "modules": (1, 1, 1)}, image_size=299)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What the paper prints, or what the released models have."""
        batch_norm: dict[str, Any] = {"epsilon": 1e-3}
        kernel_init = {
            "*": "truncated_he_normal",
            "aux/conv1": "truncated_gaussian(std=0.01)",
            "aux/linear": "truncated_gaussian(std=0.001)",
            "linear": "truncated_gaussian(std=0.001)",
        }
        if self.variant == "keras":
            batch_norm |= {"use_scale": False, "momentum": 0.99}
            kernel_init = {"*": "glorot_uniform"}
        else:
            batch_norm |= {"unbiased_running_variance": True}
        return Published(
            kernel_init=kernel_init,
            norm="batch",
            dropout={"pool": DROPOUT[self.variant]},
            batch_norm=batch_norm,
            bias_under_norm=False,
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), at least 75x75, and in training of the head.

        Raises:
            InputError: `modules` asks for what Table 1 does not have, or the images are too small
                for the head.
        """
        grid35, grid17, grid8 = self._grids()
        auxiliary = {}
        x = self._modules(grid35, self._stem(images, train), train)
        x = self._modules((("Mixed_6a", Reduction35, {}), *grid17), x, train)
        if self.auxiliary and (train or self.is_initializing()):
            auxiliary["aux"] = self.part(Head, "aux", num_classes=self.num_classes)(x, train)
        x = self._modules((("Mixed_7a", Reduction17, {}), *grid8), x, train)
        x = self.dropout("pool", self.global_average_pool("pool", x), train)
        return Prediction(self.logits("linear", x), auxiliary)

    def _stem(self, images: jax.Array, train: bool) -> jax.Array:
        x = self.conv_unit("Conv2d_1a_3x3", images, self.hidden(32), 3, train, strides=2)
        x = self.conv_unit("Conv2d_2a_3x3", x, self.hidden(32), 3, train)
        x = self.conv_unit("Conv2d_2b_3x3", x, self.hidden(64), 3, train, padding=1)
        x = self.max_pool("MaxPool_3a_3x3", x, 3, strides=2)
        if self.variant == "paper":
            x = self.conv_unit("Conv2d_3b_3x3", x, self.hidden(80), 3, train)
            x = self.conv_unit("Conv2d_4a_3x3", x, self.hidden(192), 3, train, strides=2)
            return self.conv_unit("Conv2d_5a_3x3", x, self.hidden(288), 3, train, padding=1)
        x = self.conv_unit("Conv2d_3b_1x1", x, self.hidden(80), 1, train)
        x = self.conv_unit("Conv2d_4a_3x3", x, self.hidden(192), 3, train)
        return self.max_pool("MaxPool_5a_3x3", x, 3, strides=2)

    def _modules(self, modules: tuple[Module, ...], x: jax.Array, train: bool) -> jax.Array:
        count_padding = "caffe" if self.variant == "released" else "valid"
        for name, kind, fields in modules:
            x = self.part(kind, name, count_padding=count_padding, **fields)(x, train)
        return x

    def _grids(self) -> list[tuple[Module, ...]]:
        counts = stage_counts(self.modules, [len(grid) for grid in GRIDS])
        return [grid[:count] for grid, count in zip(GRIDS, counts, strict=True)]
