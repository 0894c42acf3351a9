"""The maxout network for permutation-invariant MNIST: two layers of 240 units of five pieces.

I. J. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio (2013), Maxout Networks, ICML,
arXiv:1302.4389, section 5.1, and the authors' own recipe, mnist_pi.yaml. At 28x28x1:

| layer  | output | pieces | weights | parameters |
|--------|-------:|-------:|--------:|-----------:|
| fc1    |    240 |      5 | 940,800 |    942,000 |
| fc2    |    240 |      5 | 288,000 |    289,200 |
| logits |     10 |        |   2,400 |      2,410 |
|        |        |  total |         |  1,233,610 |

A unit is the largest of its pieces, each linear in all units below. Dropout of 20 % on the pixels
and 50 % on both layers; weights from U[-0.005, 0.005].

Differs from the paper:
- Dropout divides what is left by what is kept on the pixels too; the authors' recipe leaves the
  scale of the pixels as it is, in training and in test.
"""

from __future__ import annotations

from typing import ClassVar

from cnn_jax.config.values import Width
from cnn_jax.models.layered import Published
from cnn_jax.models.mlp import DEEPEST, INPUT, MLP
from cnn_jax.models.network import SmallForm


class MaxoutMLP(MLP):
    """Hidden layers of maxout units on the pixels, then a linear classifier.

    Attributes:
        layers: units of the hidden layers.
        pieces: linear units of which a unit is the largest.
    """

    layers: tuple[Width, ...] = (240, 240)
    pieces: Width = 5

    small = SmallForm({"width": 0.05})
    published: ClassVar[Published] = Published(
        activation="maxout",
        kernel_init={"*": "uniform(scale=0.005)"},
        dropout={INPUT: 0.2} | {f"fc{i}": 0.5 for i in range(1, DEEPEST + 1)},
    )

    def maxout_pieces(self) -> int:
        """Returns how many linear units there are in a unit of maxout."""
        return self.pieces
