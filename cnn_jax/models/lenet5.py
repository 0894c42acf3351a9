"""LeNet-5: in its modern form, as published, and as published with a softmax output.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-Based Learning Applied to Document
Recognition, Proc. IEEE 86(11), section II.B, Figure 2 and Table I. At 32x32x1 and ten classes:

| layer  | output   | `modern`       |        | `1998`                        |        |
|--------|----------|----------------|-------:|-------------------------------|-------:|
| C1     | 28x28x6  | 5x5            |    156 | 5x5                           |    156 |
| S2     | 14x14x6  | 2x2 average    |      0 | 2x2 sum, coefficient and bias |     12 |
| C3     | 10x10x16 | 5x5            |  2,416 | 60 filters 5x5, as Table I    |  1,516 |
| S4     | 5x5x16   | 2x2 average    |      0 | 2x2 sum, coefficient and bias |     32 |
| C5     | 1x1x120  | 5x5            | 48,120 | 5x5                           | 48,120 |
| F6     | 84       | dense          | 10,164 | dense                         | 10,164 |
| OUTPUT | 10       | dense, softmax |    850 | distances to fixed codes      |      0 |
|        |          | total          | 61,706 | total                         | 60,000 |

`1998_softmax` is `1998` with the OUTPUT of `modern`: 60,850.

In `1998` every layer from C1 to F6 squashes its sums by 1.7159 tanh(2x/3), S2 and S4 too, and the
logits are minus the squared distances of F6 to the code of each class: with `train.loss =
"lecun_1998"` the paper's criterion (section II.C, equation 9). Weights are drawn from
+-2.4 / fan-in (appendix A), where a unit of S2 and S4 has 4 inputs and one of C3 25 for each map
that it sees. `width` scales C5 and F6; C1 to S4 come in max(1, round(width)) whole copies of
Table I, so that below 1.5 they are the paper's.

`modern` differs from the paper:
- C3 sees all maps of S2; S2 and S4 are plain pooling, without a squashing function.
- tanh.
- OUTPUT is a softmax layer.

`1998` differs from the paper:
- The bitmaps of the ten codes are redrawn; other class counts and widths have random codes.
- Biases start at zero (the paper names no other rule for them than for the weights).

`1998_softmax` differs from the paper as `1998`, and OUTPUT is a softmax layer.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.layers.partial_convolution import PartialConv
from cnn_jax.layers.pooling import average_pool, max_pool
from cnn_jax.layers.radial_basis import squared_distances
from cnn_jax.models.layered import Published, tap
from cnn_jax.models.network import Network, Prediction, SmallForm
from cnn_jax.models.subsampled_maps import Table, copied, subsample

POOLINGS = {"average": average_pool, "max": max_pool}
SQUASHING = {"modern": "tanh", "1998": "scaled_tanh", "1998_softmax": "scaled_tanh"}
S2_MAPS: Final = 6
# Table I: the maps of S2 that each map of C3 sees.
C3_CONNECTIONS: Final = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

BITMAP: Final = (12, 7)  # height and width
# Drawn for cnn_jax in the manner of Figure 3; the paper's own bitmaps are not reproduced.
DIGITS: Final = """
..###.. ...#... .#####. .#####. .....#. ####### ..####. ####### .#####. .#####.
.#...#. ..##... #.....# #.....# ....##. #...... .#....# #.....# #.....# #.....#
#.....# .#.#... #.....# ......# ...#.#. #...... #...... ......# #.....# #.....#
#.....# ...#... ......# ......# ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... ......# .....#. .#...#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. ..###.. .#...#. ######. #.####. ....#.. .#####. #.....#
#.....# ...#... ....#.. .....#. #....#. ......# ##....# ....#.. .#...#. #....##
#.....# ...#... ...#... ......# ####### ......# #.....# ...#... #.....# .####.#
#.....# ...#... ..#.... ......# .....#. ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# .....#. ......# #.....# ..#.... #.....# ......#
.#...#. ...#... #...... #.....# .....#. #.....# #.....# ..#.... #.....# #....#.
..###.. .#####. ####### .#####. .....#. .#####. .#####. ..#.... .#####. .####..
"""


class LeNet5(Network):
    """LeNet-5: 61,706 parameters in the modern form, 60,000 as published.

    Attributes:
        variant: `modern`; `1998`, with the partial connections, the trained sub-sampling and the
            output units of the paper; or `1998_softmax`, the same with a softmax output.
        pooling: `average`, as the paper's sub-sampling, or `max`; in the forms of 1998, what the
            coefficients multiply.
    """

    variant: Literal["modern", "1998", "1998_softmax"] = "modern"
    pooling: Literal["average", "max"] = "average"

    small = SmallForm({"width": 0.34})

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What the paper prints; the modern form has a nonlinearity of its own."""
        return Published(
            activation=SQUASHING[self.variant],
            kernel_init={"*": "lecun_1998_uniform"},
            dropout={"C5": 0.0, "F6": 0.0},
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C), H and W at least 32.

        Raises:
            InputError: variant `1998`, and F6 is too narrow for different codes.
        """
        x = self.activate("C1", self._c1(images), train)
        x = self._subsample("S2", x, train)
        x = self.activate("C3", self._c3(x), train)
        x = self._subsample("S4", x, train)
        x = self.activate("C5", self.conv("C5", x, self.hidden(120), 5), train)
        x = self.dropout("C5", self.flatten(x), train)
        x = self.activate("F6", self.dense("F6", x, self.hidden(84)), train)
        x = self.dropout("F6", x, train)
        return Prediction(self._output(x), {})

    def _c1(self, images: jax.Array) -> jax.Array:
        modern = self.variant == "modern"
        return self.conv("C1", images, self.hidden(6) if modern else S2_MAPS * self._copies(), 5)

    def _subsample(self, name: str, x: jax.Array, train: bool) -> jax.Array:
        if self.variant == "modern":
            pool = self.average_pool if self.pooling == "average" else self.max_pool
            return pool(name, x, 2)
        return subsample(self, name, x, train, pool=POOLINGS[self.pooling])

    def _c3(self, x: jax.Array) -> jax.Array:
        if self.variant == "modern":
            return self.conv("C3", x, self.hidden(16), 5)
        table = connections(self._copies())
        return self.learned("C3", PartialConv, x, connections=table, kernel_size=5)

    def _output(self, x: jax.Array) -> jax.Array:
        if self.variant != "1998":
            return self.logits("OUTPUT", x)
        codes = output_codes(self.num_classes, self.hidden(84))
        return self.squared_distances("OUTPUT", x, codes)

    def squared_distances(self, name: str, x: jax.Array, codes: jax.typing.ArrayLike) -> jax.Array:
        """Returns minus the squared distances of x to the codes, and taps them."""
        return tap(self, name, -squared_distances(x, codes))

    def _copies(self) -> int:
        return max(1, round(self.width))


def connections(copies: int) -> Table:
    """Returns Table I for so many times the maps: each copy of C3 sees all copies of S2."""
    return copied(C3_CONNECTIONS, S2_MAPS, copies)


def output_codes(classes: int, units: int) -> np.ndarray:
    """Returns the code of each class.

    Args:
        classes: number of classes.
        units: width of F6.

    Returns:
        int8 (classes, units) of +1 and -1: the bitmaps of the digits for ten classes and 84 units,
        otherwise random codes, always the same ones.

    Raises:
        InputError: so many classes have no different codes of so few units.
    """
    if (classes, units) == (10, BITMAP[0] * BITMAP[1]):
        return digit_codes()
    # RandomState: of all generators of numpy the one whose numbers never change.
    bits = np.random.RandomState(1998).randint(0, 2, (classes, units), np.int8)
    if len(np.unique(bits, axis=0)) < classes:
        raise InputError(
            f"{units} units of F6 are too few to give {classes} classes different random codes; "
            "raise width"
        )
    return 2 * bits - 1


def digit_codes() -> np.ndarray:
    """Returns the bitmaps, int8 (10, 84), row by row from the top: +1 for ink, -1 for paper."""
    ink = np.array([[list(digit) for digit in row.split()] for row in DIGITS.split("\n")[1:-1]])
    return np.where(ink.swapaxes(0, 1).reshape(10, -1) == "#", 1, -1).astype(np.int8)
