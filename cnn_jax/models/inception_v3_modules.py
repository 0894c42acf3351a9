"""The Inception modules of Inception-v3, named by the grid on which they stand at 299x299.

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016), Rethinking the Inception
Architecture for Computer Vision, CVPR, arXiv:1512.00567, Figures 5, 6, 7 and 10. The towers of a
module stand side by side in this order; `n` and `p` differ from module to module:

| module        | figure | towers                                                                 |
|---------------|--------|------------------------------------------------------------------------|
| `Inception35` | 5      | 1x1 64; 1x1 48, 5x5 64; 1x1 64, 3x3 96, 3x3 96; average, 1x1 p         |
| `Reduction35` | 10     | 3x3/2 384; 1x1 64, 3x3 96, 3x3/2 96; max 3/2                           |
| `Inception17` | 6      | 1x1 192; 1x1 n, 1x7 n, 7x1 192; 1x1 n, 7x1 n, 1x7 n, 7x1 n, 1x7 192;   |
|               |        | average, 1x1 192                                                       |
| `Reduction17` | 10     | 1x1 192, 3x3/2 320; 1x1 192, 1x7 192, 7x1 192, 3x3/2 192; max 3/2      |
| `Inception8`  | 7      | 1x1 320; 1x1 384, then 1x3 384 and 3x1 384; 1x1 448, 3x3 384, then     |
|               |        | 1x3 384 and 3x1 384; average, 1x1 192                                  |

Differs from the paper:
- The paper prints the outputs of the grids, not all widths: these are those of the released model,
  and so are the names of the layers.
- `Inception35` has a 5x5 in its second tower, where Figure 5 has a 3x3, as the released model.
- `Reduction35` has no 1x1 below the 3x3/2 of its first tower, and `Reduction17` a 1x7 and a 7x1 in
  place of the first 3x3 of its second, as the released model.
"""

from __future__ import annotations

import flax.linen as nn
import jax

from cnn_jax.layers.window import pair
from cnn_jax.models.layered import Part, Size

Layer = tuple[str, int, Size]  # name, maps, size of the filters


class Towers(Part):
    """What the modules have in common.

    Attributes:
        count_padding: divisor of averages at the border, see `layers.pooling.average_pool`.
    """

    count_padding: str = "valid"

    def unit(
        self, name: str, x: jax.Array, maps: int, size: Size, train: bool, stride: int = 1
    ) -> jax.Array:
        """Returns a convolution with its nonlinearity: on the same grid, or unpadded and strided.

        Args:
            name: of the layer in the paper.
            x: maps (B, H, W, C).
            maps: number of filters, before `width`.
            size: of the filters, pixels.
            train: whether batch norm takes statistics of the batch.
            stride: 2 where the grid is halved.
        """
        height, width = pair(size, "size")
        padding = (height // 2, width // 2) if stride == 1 else (0, 0)
        geometry = {"strides": stride, "padding": padding}
        return self.conv_unit(name, x, self.hidden(maps), size, train, **geometry)

    def tower(self, x: jax.Array, train: bool, *layers: Layer, stride: int = 1) -> jax.Array:
        """Returns convolutions one on another; `stride` is that of the last one."""
        *before, last = layers
        for name, maps, size in before:
            x = self.unit(name, x, maps, size, train)
        name, maps, size = last
        return self.unit(name, x, maps, size, train, stride)

    def pool_tower(self, x: jax.Array, maps: int, train: bool) -> jax.Array:
        """Returns averages over 3x3, projected to `maps`."""
        how = {"strides": 1, "padding": 1, "count_padding": self.count_padding}
        return self.unit("branch_pool", self.average_pool("pool", x, 3, **how), maps, 1, train)


class Inception35(Towers):
    """Figure 5, on a 35x35 grid.

    Attributes:
        pool_maps: maps of the tower after the pooling.
    """

    pool_maps: int = 64

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, H, W, C')."""
        towers = [
            self.tower(x, train, ("branch1x1", 64, 1)),
            self.tower(x, train, ("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
            self.tower(
                x,
                train,
                ("branch3x3dbl_1", 64, 1),
                ("branch3x3dbl_2", 96, 3),
                ("branch3x3dbl_3", 96, 3),
            ),
            self.pool_tower(x, self.pool_maps, train),
        ]
        return self.concatenate("output", towers)


class Reduction35(Towers):
    """Figure 10, from a 35x35 to a 17x17 grid."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, (H - 1) / 2, (W - 1) / 2, C')."""
        towers = [
            self.tower(x, train, ("branch3x3", 384, 3), stride=2),
            self.tower(
                x,
                train,
                ("branch3x3dbl_1", 64, 1),
                ("branch3x3dbl_2", 96, 3),
                ("branch3x3dbl_3", 96, 3),
                stride=2,
            ),
            self.max_pool("pool", x, 3, strides=2),
        ]
        return self.concatenate("output", towers)


class Inception17(Towers):
    """Figure 6 with n = 7, on a 17x17 grid.

    Attributes:
        maps: maps inside the two towers with factorised 7x7.
    """

    maps: int = 128

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, H, W, C')."""
        towers = [
            self.tower(x, train, ("branch1x1", 192, 1)),
            self.tower(
                x,
                train,
                ("branch7x7_1", self.maps, 1),
                ("branch7x7_2", self.maps, (1, 7)),
                ("branch7x7_3", 192, (7, 1)),
            ),
            self.tower(
                x,
                train,
                ("branch7x7dbl_1", self.maps, 1),
                ("branch7x7dbl_2", self.maps, (7, 1)),
                ("branch7x7dbl_3", self.maps, (1, 7)),
                ("branch7x7dbl_4", self.maps, (7, 1)),
                ("branch7x7dbl_5", 192, (1, 7)),
            ),
            self.pool_tower(x, 192, train),
        ]
        return self.concatenate("output", towers)


class Reduction17(Towers):
    """Figure 10, from a 17x17 to an 8x8 grid."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, (H - 1) / 2, (W - 1) / 2, C')."""
        towers = [
            self.tower(x, train, ("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3), stride=2),
            self.tower(
                x,
                train,
                ("branch7x7x3_1", 192, 1),
                ("branch7x7x3_2", 192, (1, 7)),
                ("branch7x7x3_3", 192, (7, 1)),
                ("branch7x7x3_4", 192, 3),
                stride=2,
            ),
            self.max_pool("pool", x, 3, strides=2),
        ]
        return self.concatenate("output", towers)


class Inception8(Towers):
    """Figure 7, on an 8x8 grid: two towers end in a 1x3 and a 3x1 that stand side by side."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the towers side by side, (B, H, W, C')."""
        three = self.unit("branch3x3_1", x, 384, 1, train)
        double = self.tower(x, train, ("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3))
        towers = [
            self.unit("branch1x1", x, 320, 1, train),
            self.unit("branch3x3_2a", three, 384, (1, 3), train),
            self.unit("branch3x3_2b", three, 384, (3, 1), train),
            self.unit("branch3x3dbl_3a", double, 384, (1, 3), train),
            self.unit("branch3x3dbl_3b", double, 384, (3, 1), train),
            self.pool_tower(x, 192, train),
        ]
        return self.concatenate("output", towers)
