"""The nets of "Delving Deep into Rectifiers": parametric rectifiers, and the initialisation.

K. He, X. Zhang, S. Ren, J. Sun (2015), Delving Deep into Rectifiers: Surpassing Human-Level
Performance on ImageNet Classification, ICCV, arXiv:1502.01852: models A, B and C of Table 3, the
14-layer model of Table 1, and the 30-layer model of section 2.2. At 224x224x3 and 1000 classes, the
number of convolutions of a stage after its maps:

| layers       | A             | B             | C             | `small14`     | `small30`      |
|--------------|---------------|---------------|---------------|---------------|----------------|
| conv1        | 112x112x96    | 112x112x96    | 112x112x96    | 109x109x64    | 109x109x64     |
| pool1        | 56x56x96      | 56x56x96      | 56x56x96      | 36x36x64      | 36x36x64       |
| conv2_1 ...  | 56x56x256 x 5 | 56x56x256 x 6 | 56x56x384 x 6 | 36x36x128 x 4 | 36x36x128 x 4  |
| pool2        | 28x28x256     | 28x28x256     | 28x28x384     | 18x18x128     | 18x18x128      |
| conv3_1 ...  | 28x28x512 x 5 | 28x28x512 x 6 | 28x28x768 x 6 | 18x18x256 x 6 | 18x18x256 x 22 |
| pool3        | 14x14x512     | 14x14x512     | 14x14x768     |               |                |
| conv4_1 ...  | 14x14x512 x 5 | 14x14x512 x 6 | 14x14x896 x 6 |               |                |
| spp          | 32256         | 32256         | 56448         | 12800         | 12800          |
| fc1          | 4096          | 4096          | 4096          | 4096          | 4096           |
| fc2          | 4096          | 4096          | 4096          | 4096          | 4096           |
| fc3          | 1000          | 1000          | 1000          | 1000          | 1000           |
| total, relu  | 178,017,384   | 183,327,080   | 330,603,368   | 74,993,896    | 79,192,296     |
| total, prelu | 178,032,072   | 183,343,048   | 330,623,944   | 75,004,200    | 79,206,696     |

|            | A, B, C                | `small14`, `small30` |
|------------|------------------------|----------------------|
| conv1      | 7x7, stride 2, pad 3   | 7x7, stride 2        |
| pool1      | 2x2, stride 2          | 3x3, stride 3        |
| other conv | 3x3, pad 1             | 2x2, size kept       |
| other pool | 2x2, stride 2          | 2x2, stride 2        |
| spp        | 7x7, 3x3, 2x2, 1x1     | 6x6, 3x3, 2x2, 1x1   |

The rectifiers after all layers but the last have one slope a channel, 0.25 at the start;
`activation="prelu_shared"` gives one a layer, `"relu"` the twins that the paper compares with.
Convolutions start from N(0, 2 / (k^2 d)) by their d outputs (equation 14), fc1 and fc2 from a
standard deviation of 0.01, fc3 from 0.001. Dropout of 0.5 stands after fc1 and fc2.

Differs from the paper:
- The paper prints no map sizes for `small14` and `small30`: a 2x2 convolution here pads one pixel
  at the bottom and right.
- `small30` has all sixteen added convolutions at the end; the paper does not say where.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, NamedTuple

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Depth
from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class Form(NamedTuple):
    """One column of the table.

    Attributes:
        maps: of conv1, and of each later stage.
        convolutions: in each later stage.
        size: of a later convolution.
        conv1: padding of conv1, pixels.
        pool1: window and stride of pool1.
        levels: bins along a side in each level of the pyramid.
    """

    maps: tuple[int, ...]
    convolutions: tuple[int, ...]
    size: int = 3
    conv1: int = 3
    pool1: int = 2
    levels: tuple[int, ...] = (7, 3, 2, 1)


SMALL: Final[dict[str, Any]] = {"size": 2, "conv1": 0, "pool1": 3, "levels": (6, 3, 2, 1)}
FORMS: Final = {
    "A": Form((96, 256, 512, 512), (5, 5, 5)),
    "B": Form((96, 256, 512, 512), (6, 6, 6)),
    "C": Form((96, 384, 768, 896), (6, 6, 6)),
    "small14": Form((64, 128, 256), (4, 6), **SMALL),
    "small30": Form((64, 128, 256), (4, 22), **SMALL),
}


class PReLUNet(Network):
    """PReLU-nets: 178,032,072 parameters in model A, 75,004,200 in the 14-layer model.

    Attributes:
        variant: `A`, `B` or `C` of Table 3, `small14` of Table 1, `small30` of section 2.2.
        convolutions: in each stage from the second on, for a smaller net; None: those of the
            variant.
    """

    variant: Literal["A", "B", "C", "small14", "small30"] = "A"
    convolutions: tuple[Depth, ...] | None = None

    small = SmallForm({"width": 0.05, "convolutions": (1, 1)}, image_size=64)
    published: ClassVar[Published] = Published(
        activation="prelu",
        kernel_init={
            "*": "he_normal(mode=fan_out)",
            "fc1": "gaussian(std=0.01)",
            "fc2": "gaussian(std=0.01)",
            "fc3": "gaussian(std=0.001)",
        },
        dropout={"fc1": 0.5, "fc2": 0.5},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 17.

        Raises:
            InputError: `convolutions` has too many stages or an empty one.
        """
        form = FORMS[self.variant]
        maps = [self.hidden(n) for n in form.maps]
        x = self.conv_unit("conv1", images, maps[0], 7, train, strides=2, padding=form.conv1)
        x = self.max_pool("pool1", x, form.pool1)
        for stage, count in enumerate(self._counts(), start=2):
            if stage > 2:
                x = self.max_pool(f"pool{stage - 1}", x, 2)
            for i in range(1, count + 1):
                name, features = f"conv{stage}_{i}", maps[stage - 1]
                x = self.conv_unit(name, x, features, form.size, train, padding="SAME")
        x = self.spatial_pyramid_pool("spp", x, form.levels)
        return classify(self, x, train, ("fc1", "fc2", "fc3"))

    def _counts(self) -> tuple[int, ...]:
        form = FORMS[self.variant]
        counts, stages = self.convolutions or form.convolutions, len(form.convolutions)
        if len(counts) > stages or min(counts) < 1:
            raise InputError(
                f"convolutions = {counts}: give 1 to {stages} stages of at least 1 convolution"
            )
        return counts
