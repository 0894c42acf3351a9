"""Inception with batch normalisation: the network of the batch-norm paper.

S. Ioffe, C. Szegedy (2015), Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift, ICML, arXiv:1502.03167, section 4.2 and Figure 5. At 224x224x3 and 1000
classes; the four towers of a module stand side by side in this order:

| layer        | output     | 1x1 | reduce, 3x3 | reduce, 3x3, 3x3 | pool          |   `paper` |
|--------------|------------|----:|------------:|-----------------:|---------------|----------:|
| conv1, 7x7/2 | 112x112x64 |     |             |                  |               |     9,536 |
| pool1        | 56x56x64   |     |             |                  | max 3/2       |         0 |
| conv2_reduce | 56x56x64   |  64 |             |                  |               |     4,224 |
| conv2        | 56x56x192  |     |         192 |                  |               |   110,976 |
| pool2        | 28x28x192  |     |             |                  | max 3/2       |         0 |
| inception_3a | 28x28x256  |  64 |      64, 64 |       64, 96, 96 | average, 32   |   219,072 |
| inception_3b | 28x28x320  |  64 |      64, 96 |       64, 96, 96 | average, 64   |   260,160 |
| inception_3c | 14x14x576  |     |  128, 160/2 |     64, 96, 96/2 | max 3/2       |   385,088 |
| inception_4a | 14x14x576  | 224 |      64, 96 |     96, 128, 128 | average, 128  |   609,984 |
| inception_4b | 14x14x576  | 192 |     96, 128 |     96, 128, 128 | average, 128  |   665,344 |
| inception_4c | 14x14x608  | 160 |    128, 160 |    128, 160, 160 | average, 128  |   914,432 |
| inception_4d | 14x14x608  |  96 |    128, 192 |    160, 192, 192 | average, 128  | 1,142,912 |
| inception_4e | 7x7x1056   |     |  128, 192/2 |  192, 256, 256/2 | max 3/2       | 1,449,984 |
| inception_5a | 7x7x1024   | 352 |    192, 320 |    160, 224, 224 | average, 128  | 2,208,896 |
| inception_5b | 7x7x1024   | 352 |    192, 320 |    192, 224, 224 | max, 128      | 2,279,616 |
| pool5        | 1024       |     |             |                  | average       |         0 |
| linear       | 1000       |     |             |                  |               | 1,025,000 |

11,285,224 parameters in `paper`, 11,194,984 in `576`, 11,295,240 in `caffe`.

Differs from the paper:
- conv1 is a whole 7x7, the paper's is separable with a depth multiplier of 8.
- Initialisation, chosen: truncated normal with variance 2 / fan-in, as TF-slim has for these
  networks, with a standard deviation of 0.001 for the classes; biases 0. The paper prints none.
- No auxiliary heads: Figure 5 shows none.

`paper` differs from the paper:
- 4c and 4d are 608 wide, the sum of the widths that Figure 5 prints; its output column says 576.
- Epsilon of the batch norm is 0.001, as in TF-slim; the paper prints none.

`576` differs from the paper:
- The pool projection of 4c and 4d is 96 wide, so that they are 576 wide as the output column says.
- Epsilon of the batch norm is 0.001, as in TF-slim; the paper prints none.

`caffe` differs from the paper:
- 4c and 4d are 608 wide.
- Convolutions keep their biases, averages at the border count the padding as zeros, and epsilon
  is 1e-5.
"""

from __future__ import annotations

from typing import Final, Literal

import flax.linen as nn
import jax

from cnn_jax.models.inception_family import stage_counts
from cnn_jax.models.layered import Part, Published
from cnn_jax.models.network import Network, Prediction, SmallForm

# Figure 5: #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool proj. The last module of
# stages 3 and 4 halves the grid: no 1x1, no pool projection.
Widths = tuple[int, int, int, int, int, int]
STAGES: Final[dict[int, dict[str, Widths]]] = {
    3: {
        "3a": (64, 64, 64, 64, 96, 32),
        "3b": (64, 64, 96, 64, 96, 64),
        "3c": (0, 128, 160, 64, 96, 0),
    },
    4: {
        "4a": (224, 64, 96, 96, 128, 128),
        "4b": (192, 96, 128, 96, 128, 128),
        "4c": (160, 128, 160, 128, 160, 128),
        "4d": (96, 128, 192, 160, 192, 128),
        "4e": (0, 128, 192, 192, 256, 0),
    },
    5: {
        "5a": (352, 192, 320, 160, 224, 128),
        "5b": (352, 192, 320, 192, 224, 128),
    },
}
REDUCTIONS: Final = ("3c", "4e")
MAX_POOLED: Final = ("5b",)
NARROWED: Final = {"4c": 96, "4d": 96}  # pool projection in `576`


class Inception(Part):
    """Inception module whose 5x5 is two 3x3 (section 4.2, Figure 5).

    Attributes:
        widths: a row of Figure 5.
        pooling: of the fourth tower, where the grid stays.
        count_padding: divisor of averages at the border, see `layers.pooling.average_pool`.
    """

    widths: Widths = STAGES[3]["3a"]
    pooling: Literal["average", "max"] = "average"
    count_padding: str = "valid"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, H, W, C'); without a 1x1 the grid is halved."""
        n1, reduce3, n3, reduce_double, double, proj = self.widths
        stride = 1 if n1 else 2
        towers = []
        if n1:
            towers.append(self._unit("1x1", x, n1, 1, train))
        y = self._unit("3x3_reduce", x, reduce3, 1, train)
        towers.append(self._unit("3x3", y, n3, 3, train, stride))
        y = self._unit("double3x3_reduce", x, reduce_double, 1, train)
        y = self._unit("double3x3_1", y, double, 3, train)
        towers.append(self._unit("double3x3_2", y, double, 3, train, stride))
        y = self._pool(x, stride)
        if proj:
            y = self._unit("pool_proj", y, proj, 1, train)
        return self.concatenate("output", [*towers, y])

    def _unit(
        self, name: str, x: jax.Array, maps: int, size: int, train: bool, stride: int = 1
    ) -> jax.Array:
        geometry = {"strides": stride, "padding": size // 2}
        return self.conv_unit(name, x, self.hidden(maps), size, train, **geometry)

    def _pool(self, x: jax.Array, stride: int) -> jax.Array:
        if stride == 2:
            return self.max_pool("pool", x, 3, strides=2, rounding="ceil")
        if self.pooling == "max":
            return self.max_pool("pool", x, 3, strides=1, padding=1)
        how = {"strides": 1, "padding": 1, "count_padding": self.count_padding}
        return self.average_pool("pool", x, 3, **how)


class BNInception(Network):
    """Inception with batch normalisation: 11,285,224 parameters with the widths of Figure 5.

    Attributes:
        variant: `paper`, the widths that Figure 5 prints; `576`, the widths of its output column;
            or `caffe`, `paper` with the biases and the averages of the Caffe model.
        modules: how many modules stages 3, 4 and 5 keep before the grid is halved, the first ones
            of each.
    """

    variant: Literal["paper", "576", "caffe"] = "paper"
    modules: tuple[int, ...] = (2, 4, 2)

    small = SmallForm({"width": 0.1, "modules": (1, 1, 1)}, image_size=64)

    @property
    def published(self) -> Published:  # type: ignore[override]
        """What the paper prints, or what the Caffe model has."""
        caffe = self.variant == "caffe"
        return Published(
            kernel_init={
                "*": "truncated_he_normal",
                "linear": "truncated_gaussian(std=0.001)",
            },
            norm="batch",
            dropout={"pool5": 0.0},
            batch_norm={"epsilon": 1e-5 if caffe else 1e-3, "unbiased_running_variance": True},
            bias_under_norm=caffe,
        )

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> Prediction:
        """Returns the logits of images (B, H, W, C).

        Raises:
            InputError: `modules` asks for what Figure 5 does not have.
        """
        x = self.conv_unit("conv1", images, self.hidden(64), 7, train, strides=2, padding=3)
        x = self.max_pool("pool1", x, 3, strides=2, rounding="ceil")
        x = self.conv_unit("conv2_reduce", x, self.hidden(64), 1, train)
        x = self.conv_unit("conv2", x, self.hidden(192), 3, train, padding=1)
        x = self.max_pool("pool2", x, 3, strides=2, rounding="ceil")
        for name, widths in self._rows().items():
            module = self.part(
                Inception,
                f"inception_{name}",
                widths=widths,
                pooling="max" if name in MAX_POOLED else "average",
                count_padding="caffe" if self.variant == "caffe" else "valid",
            )
            x = module(x, train)
        x = self.dropout("pool5", self.global_average_pool("pool5", x), train)
        return Prediction(self.logits("linear", x), {})

    def _rows(self) -> dict[str, Widths]:
        """Returns the modules by name, those that halve the grid among them."""
        names = [[name for name in rows if name not in REDUCTIONS] for rows in STAGES.values()]
        counts = stage_counts(self.modules, [len(stage) for stage in names])
        kept = {name for stage, n in zip(names, counts, strict=True) for name in stage[:n]}
        kept.update(REDUCTIONS)
        narrowed = NARROWED if self.variant == "576" else {}
        return {
            name: (*widths[:-1], narrowed.get(name, widths[-1]))
            for rows in STAGES.values()
            for name, widths in rows.items()
            if name in kept
        }
