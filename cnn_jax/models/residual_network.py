"""What the residual networks share: their stages, and the error of a depth that does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import jax

from cnn_jax.config.problems import InputError
from cnn_jax.config.values import Depth
from cnn_jax.models.layered import Published
from cnn_jax.models.network import Network
from cnn_jax.models.residual_blocks import Residual
from cnn_jax.models.scanned_blocks import can_scan, scan_blocks

PUBLISHED_RESIDUAL: Final = Published(
    # He et al. 2015, arXiv:1502.01852, equation 14; the classifier as Goyal et al. 2017, 5.1.
    kernel_init={"*": "he_normal(mode=fan_out)", "logits": "gaussian(std=0.01)"},
    norm="batch",
    batch_norm={"epsilon": 1e-5, "momentum": 0.9, "unbiased_running_variance": True},
    bias_under_norm=False,
    dropout={"gap": 0.0},
)
SCANNED_FROM: Final = 8  # equal blocks in one stage


class ResidualNetwork(Network):
    """A network of stages of residual blocks.

    Attributes:
        blocks: blocks of each stage, in place of those of the depth; the number of stages is free.
        scan_blocks: whether the equal blocks of a stage are compiled once and run in a loop:
            `always`, `never`, or `auto`: where there are `SCANNED_FROM` of them. The numbers are
            the same up to rounding, and the parameters have the same names.
    """

    blocks: tuple[Depth, ...] | None = None
    scan_blocks: Literal["auto", "always", "never"] = "auto"

    published: ClassVar[Published] = PUBLISHED_RESIDUAL
    has_maxout: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check()

    def blocks_of_depth(self) -> tuple[int, ...]:
        """Returns the blocks of each stage that the depth means.

        Raises:
            InputError: there is no network of this depth.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Checks the arguments that depend on each other.

        Raises:
            InputError: there is no such network.
        """
        stages = self.stages()
        if not stages or not all(isinstance(n, int) and n > 0 for n in stages):
            raise InputError(
                f"blocks = {self.blocks!r}: the number of blocks of each stage is needed, one "
                "block or more, such as (3, 4, 6, 3)"
            )

    def stages(self) -> tuple[int, ...]:
        """Returns the blocks of each stage."""
        return self.blocks_of_depth() if self.blocks is None else tuple(self.blocks)

    def stage(
        self,
        kind: type[Residual],
        name: str,
        blocks: int,
        x: jax.Array,
        train: bool,
        first: Mapping[str, Any],
        **fields: Any,
    ) -> jax.Array:
        """Returns x after the blocks `name`_1, `name`_2 and so on.

        Args:
            kind: class of the blocks.
            name: of the stage; the names of its blocks begin with it.
            blocks: how many blocks the stage has.
            x: maps (B, H, W, C).
            train: passed on to the blocks.
            first: fields of the first block alone.
            **fields: of all blocks.
        """
        x = self.part(kind, f"{name}_1", **fields, **first)(x, train)
        names = [f"{name}_{i}" for i in range(2, blocks + 1)]
        if self._scans(len(names)):
            block = self.part(kind, names[0], parent=None, **fields)
            return scan_blocks(self, block, names, x, train)
        for block_name in names:
            x = self.part(kind, block_name, **fields)(x, train)
        return x

    def _scans(self, equal_blocks: int) -> bool:
        fewest = {"auto": SCANNED_FROM, "always": 1, "never": float("inf")}[self.scan_blocks]
        return equal_blocks >= fewest and can_scan(self)


class OriginalResidualNetwork(ResidualNetwork):
    """A network of original blocks, which has a plain twin.

    Attributes:
        residual: False: the same layers without shortcuts, the plain network of the paper.
        zero_init_residual: whether the last batch norm of each block starts with a scale of 0, so
            that the block starts as its shortcut (Goyal et al. 2017, arXiv:1706.02677, 5.1).
    """

    residual: bool = True
    zero_init_residual: bool = False

    def check(self) -> None:
        """Checks the arguments that depend on each other.

        Raises:
            InputError: there is no such network.
        """
        super().check()
        if self.zero_init_residual and not self.residual:
            raise InputError(
                "zero_init_residual = True: with residual = False there are no shortcuts, and "
                "nothing would reach the classifier"
            )
        if self.zero_init_residual and not self.normalised:
            raise InputError(
                "zero_init_residual = True: with norm = 'none' there is no scale to start at 0"
            )
