"""Auxiliary heads: small classifiers on the inside of a network, there in training alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError
from cnn_jax.models.layered import Part


class AuxiliaryHead(Part):
    """What the auxiliary heads of the networks have in common.

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
            x: (B, H, W, C).
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
