"""All-CNN: nothing but convolutions; and the base models it is compared with.

J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller (2015), Striving for Simplicity: The All
Convolutional Net, ICLR workshop, arXiv:1412.6806, section 3, Tables 1 and 2. At 32x32x3 and ten
classes, a ReLU after every convolution:

| maps  | output    | `A`        | `B`             | `C`             | in `C`       | parameters |
|-------|-----------|------------|-----------------|-----------------|--------------|-----------:|
| 96    | 32x32x96  | 5x5        | 5x5, 1x1        | 3x3, 3x3        | conv1, conv2 |     85,728 |
| 96    | 16x16x96  | 3x3/2      | 3x3/2           | 3x3/2           | conv3        |     83,040 |
| 192   | 16x16x192 | 5x5        | 5x5, 1x1        | 3x3, 3x3        | conv4, conv5 |    498,048 |
| 192   | 8x8x192   | 3x3/2      | 3x3/2           | 3x3/2           | conv6        |    331,968 |
| 192   | 6x6x192   | 3x3, unpadded, in all variants               | conv7        |    331,968 |
| 192   | 6x6x192   | 1x1                                          | conv8        |     37,056 |
| 10    | 6x6x10    | 1x1                                          | conv9        |      1,930 |
|       | 10        | average                                      | gap          |          0 |
|       |           |                                              | total of `C` |  1,369,738 |

`A`, `B` and `C` are All-CNN-A, -B and -C. In `base_A` (the paper's Model A) max pooling 3x3/2
stands in place of each 3x3/2; in `convpool_A` (ConvPool-CNN-A) after a 3x3 of stride 1; in
`strided_A` (Strided-CNN-A) there is neither, and the convolution before has the stride; B and C
alike.

Dropout of 20 % on the image, 50 % after each pooling or what replaces it. The maps of the last
convolution are the classes: they have the nonlinearity, but never batch norm.

Differs from the paper:
- Initialisation, chosen: He et al.'s; for the last convolution a standard deviation of 0.01, and
  biases of 1, so that no class starts below its ReLU, where it would get no gradient. The paper
  prints none.
- Max pooling rounds up, so that 32x32 becomes 16x16; the paper prints no padding.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

MAPS: Final = (96, 192)
# Tables 1 and 2: sizes of the filters in a stage, without what makes the maps smaller.
SIZES: Final = {"A": (5,), "B": (5, 1), "C": (3, 3)}


class Layer(NamedTuple):
    """A layer of the first two stages: a convolution, or max pooling where it has no maps."""

    name: str
    maps: int
    size: int
    stride: int


@cache
def stages(variant: str) -> tuple[Layer, ...]:
    """Returns the layers of the first two stages.

    Args:
        variant: a variant of `AllCNN`.
    """
    kind, _, letter = variant.rpartition("_")
    layers: list[Layer] = []
    convolutions = 0
    for stage, maps in enumerate(MAPS, start=1):
        sizes = SIZES[letter] + ((3,) if kind in ("", "convpool") else ())
        for i, size in enumerate(sizes, start=1):
            convolutions += 1
            stride = 2 if kind in ("", "strided") and i == len(sizes) else 1
            layers.append(Layer(f"conv{convolutions}", maps, size, stride))
        if kind in ("base", "convpool"):
            layers.append(Layer(f"pool{stage}", 0, 3, 2))
    return tuple(layers)


class AllCNN(Network):
    """All-CNN: 1,369,738 parameters in variant C.

    Attributes:
        variant: `A`, `B`, `C` for All-CNN; with `base_` the models with max pooling, with
            `strided_` and `convpool_` the two controls of section 3.
    """

    variant: Literal[
        "A",
        "B",
        "C",
        "base_A",
        "base_B",
        "base_C",
        "strided_A",
        "strided_B",
        "strided_C",
        "convpool_A",
        "convpool_B",
        "convpool_C",
    ] = "C"

    small = SmallForm({"width": 0.1}, image_size=16)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What the paper prints."""
        layers = stages(self.variant)
        last = f"conv{sum(layer.maps > 0 for layer in layers) + 3}"
        return Published(
            kernel_init={"*": "he_normal", last: "gaussian(std=0.01)"},
            bias_init={"*": "zeros", last: "ones"},
            dropout={"input": 0.2} | {layer.name: 0.5 for layer in layers if layer.stride == 2},
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 9."""
        x = self.dropout("input", images, train)
        convolutions = 0
        for name, maps, size, stride in stages(self.variant):
            if maps:
                convolutions += 1
                geometry = {"strides": stride, "padding": size // 2}
                x = self.conv_unit(name, x, self.hidden(maps), size, train, **geometry)
            else:
                x = self.max_pool(name, x, size, strides=stride, rounding="ceil")
            if stride == 2:
                x = self.dropout(name, x, train)
        x = self.conv_unit(f"conv{convolutions + 1}", x, self.hidden(MAPS[-1]), 3, train)
        x = self.conv_unit(f"conv{convolutions + 2}", x, self.hidden(MAPS[-1]), 1, train)
        last = f"conv{convolutions + 3}"
        x = self.conv(last, x, self.num_classes, 1, use_bias=True)
        x = self.activate(last, x, train, normalise=False)
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        return Prediction(self.global_average_pool("gap", x), {})
