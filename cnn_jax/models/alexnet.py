"""AlexNet: as published, in Caffe's two forms, and the later one-tower net in two.

A. Krizhevsky, I. Sutskever, G. E. Hinton (2012), ImageNet Classification with Deep Convolutional
Neural Networks, NIPS, section 3 and Figure 2; A. Krizhevsky (2014), One weird trick for
parallelizing convolutional neural networks, arXiv:1404.5997 (`torchvision`, `cudaconvnet2`).
Layers and parameters with 1000 classes, at the sizes below:

| layer | output    | of 2012              |            | output    | of 2014         |            |
|-------|-----------|----------------------|-----------:|-----------|-----------------|-----------:|
| conv1 | 55x55x96  | 11x11, stride 4      |     34,944 | 55x55x64  | 11x11, stride 4 |     23,296 |
| pool1 | 27x27x96  | 3x3, stride 2        |          0 | 27x27x64  | 3x3, stride 2   |          0 |
| conv2 | 27x27x256 | 5x5, pad 2, 2 groups |    307,456 | 27x27x192 | 5x5, pad 2      |    307,392 |
| pool2 | 13x13x256 | 3x3, stride 2        |          0 | 13x13x192 | 3x3, stride 2   |          0 |
| conv3 | 13x13x384 | 3x3, pad 1           |    885,120 | 13x13x384 | 3x3, pad 1      |    663,936 |
| conv4 | 13x13x384 | 3x3, pad 1, 2 groups |    663,936 | 13x13x256 | 3x3, pad 1      |    884,992 |
| conv5 | 13x13x256 | 3x3, pad 1, 2 groups |    442,624 | 13x13x256 | 3x3, pad 1      |    590,080 |
| pool5 | 6x6x256   | 3x3, stride 2        |          0 | 6x6x256   | 3x3, stride 2   |          0 |
| fc6   | 4096      | dense                | 37,752,832 | 4096      | dense           | 37,752,832 |
| fc7   | 4096      | dense                | 16,781,312 | 4096      | dense           | 16,781,312 |
| fc8   | 1000      | dense                |  4,097,000 | 1000      | dense           |  4,097,000 |
|       |           | total                | 60,965,224 |           | total           | 61,100,840 |

| variant              | input | after conv1    | after conv2    | norm: k, alpha | biases       |
|----------------------|------:|----------------|----------------|----------------|--------------|
| `paper`, 2012        |   224 | relu norm pool | relu norm pool | 2, 1e-4        | 1            |
| `bvlc`, 2012         |   227 | relu norm pool | relu norm pool | 1, 1e-4 / 5    | 0.1          |
| `caffe`, 2012        |   227 | relu pool norm | relu pool norm | 1, 1e-4 / 5    | 1            |
| `torchvision`, 2014  |   224 | relu pool      | relu pool      |                | PyTorch's    |
| `cudaconvnet2`, 2014 |   224 | norm pool relu | relu norm pool | 2, 1e-4 / 5    | 1; -7 in fc8 |

The last column holds for conv2, conv4, conv5, fc6 and fc7 (section 5), the others start at 0. Norm
is local response normalisation over 5 maps (section 3.3). Dropout of 0.5 stands after fc6 and fc7,
in `torchvision` before them.

`paper` differs from the paper:
- 224x224 leave conv1 a rest: 54.25 positions. As in the author's cuda-convnet, convolution and
  pooling round up, and the last filters see zeros beyond the border; 227x227 leave no rest. Both
  give 55x55, which as 55x55x96 are 290,400 units (the paper counts 253,440 = 55x48x96).
- The paper's two GPUs are two groups on one device, and norm sums over the border between them; the
  paper does not say.

`bvlc` and `caffe` differ from the paper as Caffe's bvlc_alexnet and bvlc_reference_caffenet:
- Norm and biases as above; fc6 and fc7 start from a standard deviation of 0.005; pooling alone
  rounds up.

`torchvision` differs from the paper of 2014 as torchvision.models.alexnet:
- Padding of 2 in conv1, no norm, dropout before fc6 and fc7, PyTorch's initialisation (of the
  biases too, by the inputs that a unit has at the published widths).

`cudaconvnet2` differs from the paper of 2014 as its file of layers for one GPU:
- Its pool3, fc4096a, fc4096b and fc1000 go by the names above; relu stands before pool5 rather than
  after it, which is the same for a nonlinearity that never falls.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, Final, Literal, NamedTuple

import flax.linen as nn
import jax

from cnn_jax.models.classifier import classify
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network, Prediction, SmallForm

BIASED: Final = ("conv2", "conv4", "conv5", "fc6", "fc7")
DROPOUT: Final = {"fc6": 0.5, "fc7": 0.5}
STD_001: Final = {"*": "gaussian(std=0.01)"}
# Inputs of one unit of each layer of 2014, which PyTorch draws the biases by.
FAN_IN: Final = {
    "conv1": 11 * 11 * 3,
    "conv2": 5 * 5 * 64,
    "conv3": 3 * 3 * 192,
    "conv4": 3 * 3 * 384,
    "conv5": 3 * 3 * 256,
    "fc6": 6 * 6 * 256,
    "fc7": 4096,
    "fc8": 4096,
}


class Form(NamedTuple):
    """What sets the variants apart.

    Attributes:
        published: initialisers and dropout.
        after_conv1: the operations there, in their order.
        after_conv2: the operations after conv2.
        maps: of conv1 to conv5.
        groups: of conv2, conv4 and conv5.
        norm: constants of the local response normalisation.
        conv1: its padding and rounding.
        pool_rounding: `floor` or `ceil`, in all pooling.
    """

    published: Published
    after_conv1: str
    after_conv2: str
    maps: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
    groups: int = 2
    norm: Mapping[str, Any] = {}
    conv1: Mapping[str, Any] = {}
    pool_rounding: str = "ceil"


def _biases(value: float, **others: str) -> dict[str, str]:
    return {"*": "zeros", **dict.fromkeys(BIASED, f"constant(value={value})"), **others}


CAFFE_NORM: Final = {"k": 1.0, "alpha_is_divided_by_size": True}
CAFFE_STD: Final = {**STD_001, "fc6": "gaussian(std=0.005)", "fc7": "gaussian(std=0.005)"}
CUDACONVNET2_STD: Final = {
    **STD_001,
    **dict.fromkeys(("conv3", "conv4", "conv5"), "gaussian(std=0.03)"),
}
MAPS_2014: Final = (64, 192, 384, 256, 256)
FORMS: Final = {
    "paper": Form(
        Published(kernel_init=STD_001, bias_init=_biases(1), dropout=DROPOUT),
        after_conv1="relu norm pool",
        after_conv2="relu norm pool",
        conv1={"rounding": "ceil"},
    ),
    "bvlc": Form(
        Published(kernel_init=CAFFE_STD, bias_init=_biases(0.1), dropout=DROPOUT),
        after_conv1="relu norm pool",
        after_conv2="relu norm pool",
        norm=CAFFE_NORM,
    ),
    "caffe": Form(
        Published(kernel_init=CAFFE_STD, bias_init=_biases(1), dropout=DROPOUT),
        after_conv1="relu pool norm",
        after_conv2="relu pool norm",
        norm=CAFFE_NORM,
    ),
    "torchvision": Form(
        Published(
            kernel_init={"*": "torch_default"},
            bias_init={name: f"uniform(scale={1 / sqrt(n)})" for name, n in FAN_IN.items()},
            dropout={"pool5": 0.5, "fc6": 0.5},
        ),
        after_conv1="relu pool",
        after_conv2="relu pool",
        maps=MAPS_2014,
        groups=1,
        conv1={"padding": 2},
        pool_rounding="floor",
    ),
    "cudaconvnet2": Form(
        Published(
            kernel_init=CUDACONVNET2_STD,
            bias_init=_biases(1, fc8="constant(value=-7)"),
            dropout=DROPOUT,
        ),
        after_conv1="norm pool relu",
        after_conv2="relu norm pool",
        maps=MAPS_2014,
        groups=1,
        norm={"alpha_is_divided_by_size": True},
        conv1={"rounding": "ceil"},
    ),
}


class AlexNet(Network):
    """AlexNet: 60,965,224 parameters as published, 61,100,840 in the form of 2014.

    Attributes:
        variant: `paper`; Caffe's `bvlc` and `caffe` (CaffeNet); or the net of 2014 as `torchvision`
            and `cudaconvnet2` have it.
        response_norm: False leaves out the local response normalisation, as section 3.3 did to
            measure it.
    """

    variant: Literal["paper", "bvlc", "caffe", "torchvision", "cudaconvnet2"] = "paper"
    response_norm: bool = True

    small = SmallForm({"width": 0.05}, image_size=67)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What is printed of the variant."""
        return FORMS[self.variant].published

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 63."""
        form, groups = FORMS[self.variant], FORMS[self.variant].groups
        maps = [self.hidden(n, multiple_of=groups) for n in form.maps]
        x = self.conv("conv1", images, maps[0], 11, strides=4, **form.conv1)
        x = self._after(1, form.after_conv1, x, train)
        x = self.conv("conv2", x, maps[1], 5, padding=2, groups=groups)
        x = self._after(2, form.after_conv2, x, train)
        x = self.conv_unit("conv3", x, maps[2], 3, train, padding=1)
        x = self.conv_unit("conv4", x, maps[3], 3, train, padding=1, groups=groups)
        x = self.conv_unit("conv5", x, maps[4], 3, train, padding=1, groups=groups)
        x = self.flatten(self._pool("pool5", x))
        if "pool5" in self.published.dropout:
            x = self.dropout("pool5", x, train)
        return classify(self, x, train, ("fc6", "fc7", "fc8"))

    def _after(self, number: int, operations: str, x: jax.Array, train: bool) -> jax.Array:
        """Returns x after the operations that follow convolution `number`."""
        for operation in operations.split():
            if operation == "relu":
                x = self.activate(f"conv{number}", x, train)
            elif operation == "pool":
                x = self._pool(f"pool{number}", x)
            elif self.response_norm:
                x = self.local_response_norm(f"norm{number}", x, **FORMS[self.variant].norm)
        return x

    def _pool(self, name: str, x: jax.Array) -> jax.Array:
        return self.max_pool(name, x, 3, strides=2, rounding=FORMS[self.variant].pool_rounding)
