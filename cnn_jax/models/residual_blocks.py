"""Residual blocks: the original one and the one with pre-activation.

K. He, X. Zhang, S. Ren, J. Sun (2015), Deep Residual Learning for Image Recognition, CVPR 2016,
arXiv:1512.03385, sections 3.2 and 3.3, Figures 2 and 5; the same (2016), Identity Mappings in Deep
Residual Networks, ECCV 2016, arXiv:1603.05027, section 4.1, Figure 4e. A block of f features is

| layer    | basic        | bottleneck       |
|----------|--------------|------------------|
| a        | 3x3, f       | 1x1, f           |
| b        | 3x3, f       | 3x3, f           |
| c        |              | 1x1, 4f          |
| shortcut | 1x1, where it projects          |
| add      | residual + shortcut             |

The original block runs convolution, batch norm, ReLU, with the last ReLU after the sum; with
pre-activation it runs batch norm, ReLU, convolution, and nothing stands after the sum.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.models.layered import Part, tap

EXPANSION = 4  # outputs of a bottleneck, in multiples of its features


class Residual(Part):
    """What both kinds of block share.

    Attributes:
        features: filters of each layer but a bottleneck's `c`.
        bottleneck: three layers, 1x1, 3x3 and 1x1, rather than two 3x3.
        strides: of the block, pixels.
        strided: the layer of a bottleneck that has the strides, `a` or `b`.
        shortcut: where the maps change in size or number: `A`, the identity, subsampled, with
            zeros for the new maps; `B`, a 1x1 projection; `C`, a projection in every block;
            `none`: there is no shortcut, as in a plain network.
    """

    features: int = 64
    bottleneck: bool = False
    strides: int = 1
    strided: str = "a"
    shortcut: str = "B"

    def layers(self) -> list[tuple[str, int, dict[str, Any]]]:
        """Returns name, number of filters and geometry of each layer of the residual."""
        steps = {"a": 1, "b": 1} | {self.strided if self.bottleneck else "a": self.strides}
        window = {"kernel_size": 3, "padding": 1}
        if not self.bottleneck:
            return [(name, self.features, {**window, "strides": steps[name]}) for name in "ab"]
        return [
            ("a", self.features, {"kernel_size": 1, "strides": steps["a"]}),
            ("b", self.features, {**window, "strides": steps["b"]}),
            ("c", EXPANSION * self.features, {"kernel_size": 1}),
        ]

    def projects(self, x: jax.Array) -> bool:
        """Whether the shortcut of x is a projection."""
        return self.shortcut == "C" or (self.shortcut == "B" and self.reshapes(x))

    def reshapes(self, x: jax.Array) -> bool:
        """Whether the block changes the size or the number of the maps x."""
        return self.strides != 1 or self.layers()[-1][1] != x.shape[-1]

    def project(self, name: str, x: jax.Array) -> jax.Array:
        """Returns the 1x1 convolution `name` of x to the shape of the residual."""
        features = self.layers()[-1][1]
        return self.conv(name, x, features, 1, strides=self.strides, activated=False)

    def pad_maps(self, name: str, x: jax.Array) -> jax.Array:
        """Returns x, subsampled, with maps of zeros after its own, and taps it."""
        new = self.layers()[-1][1] - x.shape[-1]
        x = x[:, :: self.strides, :: self.strides]
        return tap(self, self._full(name), jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, new))))


class ResidualBlock(Residual):
    """The original block: relu(residual(x) + shortcut(x)).

    Attributes:
        zero_init: whether the scale of the last batch norm starts at 0, so that the block starts
            as its shortcut (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
    """

    zero_init: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the maps after the block.

        Args:
            x: maps (B, H, W, C).
            train: whether batch norm takes the statistics of the batch.
        """
        *inner, (last, features, geometry) = self.layers()
        y = x
        for name, width, window in inner:
            y = self.conv_unit(name, y, width, train=train, **window)
        scale = nn.initializers.zeros_init() if self.zero_init else nn.initializers.ones_init()
        y = self.conv(last, y, features, **geometry)
        y = self.normalise(last, y, train, scale_init=scale)
        if self.shortcut != "none":
            y = self.add("add", y, self._shortcut(x, train))
        return self.activate(last, y, train, normalise=False)

    def _shortcut(self, x: jax.Array, train: bool) -> jax.Array:
        if self.projects(x):
            return self.normalise("shortcut", self.project("shortcut", x), train)
        return self.pad_maps("shortcut", x) if self.reshapes(x) else x


class PreActivationBlock(Residual):
    """The block with pre-activation: residual(x) + shortcut(x), nothing after the sum.

    Attributes:
        activates_both: whether the first activation stands before the two paths part, rather than
            inside the residual; so where the maps change, and in the first block of a network.
    """

    activates_both: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Returns the maps after the block; arguments as `ResidualBlock`."""
        y = x
        for name, width, window in self.layers():
            y = self.activate(f"{name}_preact", y, train)
            if name == "a" and self.activates_both:
                x = y
            y = self.conv(name, y, width, **window)
        return self.add("add", y, self._shortcut(x))

    def _shortcut(self, x: jax.Array) -> jax.Array:
        if self.projects(x):
            return self.project("shortcut", x)
        return self.pad_maps("shortcut", x) if self.reshapes(x) else x
