"""What the Inception networks share: auxiliary heads, and how many modules a smaller form keeps."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.models.layered import Part


class AuxiliaryHead(Part):
    """An auxiliary head: a small classifier on the inside of a network, there in training alone.

    Source: Szegedy et al. 2014, arXiv:1409.4842, section 5.

    Attributes:
        num_classes: width of the last layer.
    """

    num_classes: int = 10

    def logits(self, name: str, x: jax.Array) -> jax.Array:
        """Returns the last layer of x, as wide as there are classes, in float32 at least."""
        logits = self.dense(name, x, self.num_classes, activated=False)
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def check_room(self, x: jax.Array, least: int) -> None:
        """Checks that the maps are large enough for the head.

        Args:
            x: maps (B, H, W, C).
            least: height and width that the head needs, pixels.

        Raises:
            InputError: they are smaller.
        """
        height, width = x.shape[1:3]
        if min(height, width) < least:
            raise InputError(
                f"the auxiliary head {self.name} needs maps of at least {least}x{least}, these are "
                f"{height}x{width}: give larger images, or auxiliary=False"
            )


def stage_counts(modules: Sequence[int], most: Sequence[int]) -> tuple[int, ...]:
    """Returns the number of modules of each stage.

    Args:
        modules: what the field `modules` of a network holds.
        most: how many the published network has.

    Raises:
        InputError: a stage is missing, empty, or has more than the published network.
    """
    counts = tuple(modules)
    if len(counts) != len(most) or any(
        not 1 <= count <= limit for count, limit in zip(counts, most, strict=True)
    ):
        limits = ", ".join(f"1 to {limit}" for limit in most)
        raise InputError(f"modules = {counts}: give {len(most)} numbers, {limits}")
    return counts
