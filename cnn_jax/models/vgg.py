"""VGG: configurations A to E.

K. Simonyan, A. Zisserman (2015), Very Deep Convolutional Networks for Large-Scale Image
Recognition, ICLR, arXiv:1409.1556, section 2 and Table 1. At 224x224x3 and 1000 classes; the
convolutions of a stage are 3x3 with padding 1, those marked * 1x1:

| stage       | output      |           A |           B |           C |           D |           E |
|-------------|-------------|------------:|------------:|------------:|------------:|------------:|
| conv1_1 ... | 224x224x64  |           1 |           2 |           2 |           2 |           2 |
| pool1, 2x2  | 112x112x64  |             |             |             |             |             |
| conv2_1 ... | 112x112x128 |           1 |           2 |           2 |           2 |           2 |
| pool2, 2x2  | 56x56x128   |             |             |             |             |             |
| conv3_1 ... | 56x56x256   |           2 |           2 |    2 and 1* |           3 |           4 |
| pool3, 2x2  | 28x28x256   |             |             |             |             |             |
| conv4_1 ... | 28x28x512   |           2 |           2 |    2 and 1* |           3 |           4 |
| pool4, 2x2  | 14x14x512   |             |             |             |             |             |
| conv5_1 ... | 14x14x512   |           2 |           2 |    2 and 1* |           3 |           4 |
| pool5, 2x2  | 7x7x512     |             |             |             |             |             |
| fc6         | 4096        | 102,764,544 | 102,764,544 | 102,764,544 | 102,764,544 | 102,764,544 |
| fc7         | 4096        |  16,781,312 |  16,781,312 |  16,781,312 |  16,781,312 |  16,781,312 |
| fc8         | 1000        |   4,097,000 |   4,097,000 |   4,097,000 |   4,097,000 |   4,097,000 |
| total       |             | 132,863,336 | 133,047,848 | 133,638,952 | 138,357,544 | 143,667,240 |

`A_LRN` is A with local response normalisation, lrn1, after conv1_1, with AlexNet's constants.

With `norm="batch"` every convolution has batch norm after it and keeps its biases, the fully
connected layers have none: the form with batch norm that torchvision ships (A: 132,868,840
parameters, D: 138,365,992).

Differs from the paper:
- Initialisation. Section 3.1 draws weights with a variance of 10^-2, a standard deviation of 0.1:
  a layer on 512 maps multiplies its signal by sqrt(3 * 3 * 512 * 0.01 / 2) = 4.8, and the logits of
  A have a standard deviation of 2e6 where the pixels have 1. The paper adds that no pre-training is
  needed with Glorot & Bengio's initialisation, which is `published` here. As printed:
  `kernel_init="gaussian(std=0.1)"`.
- No layer starts from another net's: the paper starts B to E from a trained A, as the words
  `D_from_A` and so on of configs/imagenet/vgg.py do.
- The fully connected layers stay such; `models.score_maps` turns them into convolutions, as the
  paper does in testing: `python -m experiments.evaluate --protocol=dense`.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Depth
from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

MAPS: Final = (64, 128, 256, 512, 512)
CONVOLUTIONS: Final = {
    "A": (1, 1, 2, 2, 2),
    "A_LRN": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, 3, 3, 3),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}


class VGG(Network):
    """VGG: 132,863,336 parameters in configuration A, 143,667,240 in E.

    Attributes:
        variant: configuration of Table 1.
        convolutions: in each stage, for a smaller net; None: those of the variant.
    """

    variant: Literal["A", "A_LRN", "B", "C", "D", "E"] = "D"
    convolutions: tuple[Depth, ...] | None = None

    small = SmallForm({"width": 0.05, "convolutions": (1, 1)}, image_size=16)
    published: ClassVar[Published] = Published(
        kernel_init={"*": "glorot_uniform"},
        dropout={"fc6": 0.5, "fc7": 0.5},
    )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 2 to the number of stages.

        Raises:
            InputError: `convolutions` has more than five stages or an empty one.
        """
        x = images
        for stage, (count, maps) in enumerate(zip(self._counts(), MAPS, strict=False), start=1):
            for i in range(1, count + 1):
                # What sets C apart: the third convolution of a stage looks at single pixels.
                size = 1 if self.variant == "C" and i == 3 else 3
                name, features = f"conv{stage}_{i}", self.hidden(maps)
                x = self.conv_unit(name, x, features, size, train, padding=size // 2)
                if self.variant == "A_LRN" and name == "conv1_1":
                    x = self.local_response_norm("lrn1", x)
            x = self.max_pool(f"pool{stage}", x, 2)
        return classify(self, self.flatten(x), train, ("fc6", "fc7", "fc8"), normalise=False)

    def _counts(self) -> tuple[int, ...]:
        counts = CONVOLUTIONS[self.variant] if self.convolutions is None else self.convolutions
        if not 1 <= len(counts) <= len(MAPS) or min(counts) < 1:
            raise InputError(
                f"convolutions = {counts}: give 1 to {len(MAPS)} stages of at least 1 convolution"
            )
        return counts
