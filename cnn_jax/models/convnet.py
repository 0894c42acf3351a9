"""ConvNet: the pattern of the CS231n notes, [(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K-SOFTMAX.

A. Karpathy (2014), CS231n: Convolutional Neural Networks for Visual Recognition, notes "ConvNet
architectures", section "Layer patterns"; and ConvNetJS (software), demos CIFAR-10 and MNIST. Here M
is the length of `filters`, K that of `hidden_layers`. The two demos, and the net of the notes with
N = 2, at ten classes:

| layer   | CIFAR-10 | 32x32x3 | MNIST    | 24x24x1 | layer            | N = 2    | 32x32x3 |
|---------|----------|--------:|----------|--------:|------------------|----------|--------:|
| conv1   | 32x32x16 |   1,216 | 24x24x8  |     208 | conv1_1, conv1_2 | 32x32x10 |   1,190 |
| pool1   | 16x16x16 |       0 | 12x12x8  |       0 | pool1            | 16x16x10 |       0 |
| conv2   | 16x16x20 |   8,020 | 12x12x16 |   3,216 | conv2_1, conv2_2 | 16x16x10 |   1,820 |
| pool2   | 8x8x20   |       0 | 4x4x16   |       0 | pool2            | 8x8x10   |       0 |
| conv3   | 8x8x20   |  10,020 |          |         | conv3_1, conv3_2 | 8x8x10   |   1,820 |
| pool3   | 4x4x20   |       0 |          |         | pool3            | 4x4x10   |       0 |
| softmax | 10       |   3,210 | 10       |   2,570 | softmax          | 10       |   1,610 |
| total   |          |  22,466 |          |   5,994 |                  |          |   6,440 |

CIFAR-10 is `filters=(16, 20, 20), kernel_size=5, pools=(2, 2, 2)`, MNIST `filters=(8, 16),
kernel_size=5, pools=(2, 3)`, the third `filters=(10, 10, 10), kernel_size=3, convs_per_stage=2`.

Initialisation is that of ConvNetJS: N(0, 1 / fan-in), biases of 0.1 below a ReLU, else 0. It goes
with ConvNetJS's pixels, x / 255 - 0.5: at their deviation of some 0.25 the first loss is 1.03 to
1.04 ln C; pixels of deviation 1 give logits of deviation 1.3 to 1.5, and 1.3 to 1.4 ln C.

It differs from the paper, which is the code of ConvNetJS here, in nothing known.
"""

from __future__ import annotations

import flax.linen as nn
import jax

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Depth, Width
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm


class ConvNet(Network):
    """Stages of convolutions with pooling, then hidden layers, then a linear classifier.

    Attributes:
        filters: of the convolutions of each stage.
        kernel_size: height and width of all filters, pixels.
        convs_per_stage: how many convolutions stand in a stage.
        stride: of all convolutions, pixels.
        pad: around the image of every convolution, pixels; None: (kernel_size - 1) / 2, rounded
            down, which leaves the size as it is where the stride is 1 and the kernel odd.
        pools: for each stage, height, width and stride of its max pooling, pixels; 0: none.
        hidden_layers: widths of the fully connected hidden layers.
    """

    filters: tuple[Width, ...] = (16, 20, 20)
    kernel_size: int = 5
    convs_per_stage: Depth = 1
    stride: int = 1
    pad: int | None = None
    pools: tuple[int, ...] = (2, 2, 2)
    hidden_layers: tuple[Width, ...] = ()

    small = SmallForm({"width": 0.5})

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What ConvNetJS does."""
        return Published(
            kernel_init={"*": "lecun_normal"},
            bias_init={"*": "constant(value=0.1)", "softmax": "zeros"},
            dropout={f"fc{i}": 0.0 for i in range(1, len(self.hidden_layers) + 1)},
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C).

        Raises:
            InputError: `pools` and `filters` are not of one length, or a number makes no sense.
        """
        self._check()
        pad = (self.kernel_size - 1) // 2 if self.pad is None else self.pad
        geometry = {"strides": self.stride, "padding": pad}
        x = images
        for stage, (filters, window) in enumerate(zip(self.filters, self.pools, strict=True), 1):
            for i in range(1, self.convs_per_stage + 1):
                name = f"conv{stage}" if self.convs_per_stage == 1 else f"conv{stage}_{i}"
                x = self.conv_unit(
                    name, x, self.hidden(filters), self.kernel_size, train, **geometry
                )
            if window:
                x = self.max_pool(f"pool{stage}", x, window)
        x = self.flatten(x)
        for i, features in enumerate(self.hidden_layers, start=1):
            x = self.activate(f"fc{i}", self.dense(f"fc{i}", x, self.hidden(features)), train)
            x = self.dropout(f"fc{i}", x, train)
        return Prediction(self.logits("softmax", x), {})

    def _check(self) -> None:
        if len(self.pools) != len(self.filters):
            raise InputError(
                f"pools = {tuple(self.pools)} for filters = {tuple(self.filters)}: give one window "
                "for each stage, 0 where it has no pooling"
            )
        least = {"kernel_size": 1, "convs_per_stage": 1, "stride": 1, "pad": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise InputError(f"{name} = {value}: must be at least {low}")
        for name, low in {"filters": 1, "pools": 0, "hidden_layers": 1}.items():
            values = tuple(getattr(self, name))
            if any(value < low for value in values):
                raise InputError(f"{name} = {values}: each must be at least {low}")
