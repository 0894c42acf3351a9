"""GoogLeNet: as published, as torchvision ships it, and with batch norm and 5x5.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke,
A. Rabinovich (2015), Going Deeper with Convolutions, CVPR, arXiv:1409.4842, section 5 and Table 1.
At 224x224x3 and 1000 classes; the four towers of a module stand side by side in this order:

| layer        | output      | 1x1 | reduce, 3x3 | reduce, 5x5 | pool proj |   `paper` |
|--------------|-------------|----:|------------:|------------:|----------:|----------:|
| conv1, 7x7/2 | 112x112x64  |     |             |             |           |     9,472 |
| pool1, norm1 | 56x56x64    |     |             |             |   max 3/2 |         0 |
| conv2_reduce | 56x56x64    |  64 |             |             |           |     4,160 |
| conv2        | 56x56x192   |     |         192 |             |           |   110,784 |
| norm2, pool2 | 28x28x192   |     |             |             |   max 3/2 |         0 |
| inception_3a | 28x28x256   |  64 |     96, 128 |      16, 32 |        32 |   163,696 |
| inception_3b | 28x28x480   | 128 |    128, 192 |      32, 96 |        64 |   388,736 |
| pool3        | 14x14x480   |     |             |             |   max 3/2 |         0 |
| inception_4a | 14x14x512   | 192 |     96, 208 |      16, 48 |        64 |   376,176 |
| aux1         | 1000        |     |             |             |           | 3,188,840 |
| inception_4b | 14x14x512   | 160 |    112, 224 |      24, 64 |        64 |   449,160 |
| inception_4c | 14x14x512   | 128 |    128, 256 |      24, 64 |        64 |   510,104 |
| inception_4d | 14x14x528   | 112 |    144, 288 |      32, 64 |        64 |   605,376 |
| aux2         | 1000        |     |             |             |           | 3,190,888 |
| inception_4e | 14x14x832   | 256 |    160, 320 |     32, 128 |       128 |   868,352 |
| pool4        | 7x7x832     |     |             |             |   max 3/2 |         0 |
| inception_5a | 7x7x832     | 256 |    160, 320 |     32, 128 |       128 | 1,043,456 |
| inception_5b | 7x7x1024    | 384 |    192, 384 |     48, 128 |       128 | 1,444,080 |
| pool5        | 1024        |     |             |             | average   |         0 |
| linear       | 1000        |     |             |             |           | 1,025,000 |

Without the auxiliary heads 6,998,552 parameters in `paper`, 6,624,904 in `torchvision`, 7,005,832
in `bn_5x5`. A head: average pooling to 4x4 (5x5/3), 1x1 with 128 maps, 1024 units, the classes.

`paper` differs from the paper:
- Initialisation, chosen: that of BVLC's Caffe model, `xavier`, with biases of 0.2, those of the
  classes 0. The paper prints none.
- Constants of norm1 and norm2, chosen: Caffe's, k = 1 and alpha = 1e-4 over 5 channels. The paper
  prints none.
- conv1 is a whole 7x7; the 2.7K parameters of Table 1 are those of a separable one.

`torchvision` differs from the paper:
- Batch norm (epsilon 0.001) after every convolution, which has no bias; no norm1 and norm2.
- 3x3 stands where the paper has 5x5.
- pool4 is 2x2.
- The heads pool to 4x4 whatever the size of the maps, so that windows are 4x4 at 14x14.
- Dropout before the classes is 20 %, the paper's 40 %.
- Initialisation: N(0, 0.01^2), biases 0 (torchvision draws those of fully connected layers).

`bn_5x5` differs from the paper:
- Batch norm (epsilon 0.001) after every convolution, which has no bias; no norm1 and norm2.
- pool4 and the pooling of the heads are those of `torchvision`, and so is the initialisation.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax

from cnn_jax.layers.spatial_pyramid import spatial_pyramid_pool
from cnn_jax.models.inception_family import AuxiliaryHead, stage_counts
from cnn_jax.models.layered import Part, Published, tap
from cnn_jax.models.network import Network, Prediction, SmallForm

# Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
Widths = tuple[int, int, int, int, int, int]
STAGES: Final[dict[int, dict[str, Widths]]] = {
    3: {
        "3a": (64, 96, 128, 16, 32, 32),
        "3b": (128, 128, 192, 32, 96, 64),
    },
    4: {
        "4a": (192, 96, 208, 16, 48, 64),
        "4b": (160, 112, 224, 24, 64, 64),
        "4c": (128, 128, 256, 24, 64, 64),
        "4d": (112, 144, 288, 32, 64, 64),
        "4e": (256, 160, 320, 32, 128, 128),
    },
    5: {
        "5a": (256, 160, 320, 32, 128, 128),
        "5b": (384, 192, 384, 48, 128, 128),
    },
}
HEADS: Final = {"4a": "aux1", "4d": "aux2"}  # the module below a head -> the head
POOLED: Final = 4  # height and width to which a head pools
DROPOUT: Final = {"paper": 0.4, "torchvision": 0.2, "bn_5x5": 0.4}


class Inception(Part):
    """Inception module with dimension reduction (section 4, Figure 2b).

    Attributes:
        widths: a row of Table 1.
        large: size of the filters in the third tower, pixels.
    """

    widths: Widths = STAGES[3]["3a"]
    large: int = 5

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, H, W, C')."""
        n1, reduce3, n3, reduce5, n5, proj = (self.hidden(n) for n in self.widths)
        one = self.conv_unit("1x1", x, n1, 1, train)
        three = self.conv_unit("3x3_reduce", x, reduce3, 1, train)
        three = self.conv_unit("3x3", three, n3, 3, train, padding=1)
        five = self.conv_unit("5x5_reduce", x, reduce5, 1, train)
        five = self.conv_unit("5x5", five, n5, self.large, train, padding=self.large // 2)
        pool = self.max_pool("pool", x, 3, strides=1, padding=1)
        pool = self.conv_unit("pool_proj", pool, proj, 1, train)
        return self.concatenate("output", [one, three, five, pool])


class Head(AuxiliaryHead):
    """Auxiliary head (section 5).

    Attributes:
        adaptive: whether maps of any size are pooled to 4x4.
    """

    adaptive: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the logits, (B, num_classes).

        Raises:
            InputError: the maps are below 5x5, and the head is not adaptive.
        """
        if self.adaptive:
            x = self.adaptive_average_pool("pool", x, POOLED)
        else:
            self.check_room(x, 5)
            x = self.average_pool("pool", x, 5, strides=3)
        x = self.flatten(self.conv_unit("conv", x, self.hidden(128), 1, train))
        x = self.dense("fc", x, self.hidden(1024))
        x = self.activate("fc", x, train, normalise=False)
        return self.logits("linear", self.dropout("fc", x, train))

    def adaptive_average_pool(self, name: str, x: jax.Array, size: int) -> jax.Array:
        """Returns the averages of size x size bins, (B, size, size, C), and taps them."""
        pooled = spatial_pyramid_pool(x, (size,), "average")
        return tap(self, self._full(name), pooled.reshape(x.shape[0], size, size, x.shape[-1]))


class GoogLeNet(Network):
    """GoogLeNet: 6,998,552 parameters as published, 13,378,280 with its auxiliary heads.

    Attributes:
        variant: `paper`; `torchvision`, with batch norm and 3x3 in place of 5x5; or `bn_5x5`,
            with batch norm and 5x5.
        auxiliary: whether the auxiliary heads aux1 and aux2 exist; they run in training.
        modules: how many Inception modules the stages 3, 4 and 5 keep, the first ones of each; a
            head goes with the module below it.
    """

    variant: Literal["paper", "torchvision", "bn_5x5"] = "paper"
    auxiliary: bool = True
    modules: tuple[int, ...] = (2, 5, 2)

    small = SmallForm({"width": 0.1, "modules": (1, 4, 1)}, image_size=96)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What the paper prints, or what torchvision ships."""
        heads = self._heads().values()
        dropout = {"pool5": DROPOUT[self.variant]} | {f"{head}/fc": 0.7 for head in heads}
        if self.variant != "paper":
            return Published(
                kernel_init={"*": "gaussian(std=0.01)"},
                norm="batch",
                dropout=dropout,
                batch_norm={"epsilon": 1e-3, "unbiased_running_variance": True},
                bias_under_norm=False,
            )
        classes = dict.fromkeys(("linear", *(f"{head}/linear" for head in heads)), "zeros")
        return Published(
            kernel_init={"*": "caffe_xavier"},
            bias_init={"*": "constant(value=0.2)", **classes},
            dropout=dropout,
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), and in training those of the heads.

        Raises:
            InputError: `modules` asks for what Table 1 does not have, or the images are too small
                for the heads.
        """
        heads = self._heads() if train or self.is_initializing() else {}
        large = 3 if self.variant == "torchvision" else 5
        auxiliary = {}
        x = self._stem(images, train)
        for stage, rows in self._stages().items():
            for name, widths in rows.items():
                module = self.part(Inception, f"inception_{name}", widths=widths, large=large)
                x = module(x, train)
                if name in heads:
                    auxiliary[heads[name]] = self._head(heads[name])(x, train)
            if stage < 5:
                size = 2 if stage == 4 and self.variant != "paper" else 3
                x = self.max_pool(f"pool{stage}", x, size, strides=2, rounding="ceil")
        x = self.dropout("pool5", self.global_average_pool("pool5", x), train)
        return Prediction(self.logits("linear", x), auxiliary)

    def _stem(self, images: jax.Array, train: bool) -> jax.Array:
        x = self.conv_unit("conv1", images, self.hidden(64), 7, train, strides=2, padding=3)
        x = self.max_pool("pool1", x, 3, strides=2, rounding="ceil")
        x = self._response_norm("norm1", x)
        x = self.conv_unit("conv2_reduce", x, self.hidden(64), 1, train)
        x = self.conv_unit("conv2", x, self.hidden(192), 3, train, padding=1)
        x = self._response_norm("norm2", x)
        return self.max_pool("pool2", x, 3, strides=2, rounding="ceil")

    def _response_norm(self, name: str, x: jax.Array) -> jax.Array:
        if self.variant != "paper":
            return x
        return self.local_response_norm(name, x, k=1.0, alpha_is_divided_by_size=True)

    def _head(self, name: str) -> Head:
        adaptive = self.variant != "paper"
        return self.part(Head, name, num_classes=self.num_classes, adaptive=adaptive)

    def _heads(self) -> dict[str, str]:
        kept = self._stages()[4] if self.auxiliary else {}
        return {module: head for module, head in HEADS.items() if module in kept}

    def _stages(self) -> dict[int, dict[str, Widths]]:
        counts = stage_counts(self.modules, [len(rows) for rows in STAGES.values()])
        return {
            stage: dict(list(rows.items())[:count])
            for (stage, rows), count in zip(STAGES.items(), counts, strict=True)
        }
