"""Principal components of RGB pixels: the directions in which AlexNet's colours are jittered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError

Rows = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Components:
    """Of the covariance of RGB pixels on the scale [0, 1]; the largest eigenvalue first.

    Attributes:
        eigenvalues: (3,), variances: on the scale [0, 255] they are 65,025 times as large.
        eigenvectors: (3, 3), a column for each eigenvalue; the rows are red, green and blue.
    """

    eigenvalues: tuple[float, float, float]
    eigenvectors: Rows

    def to_tree(self) -> dict[str, Any]:
        """Returns the components as JSON holds them."""
        return {
            "eigenvalues": list(self.eigenvalues),
            "eigenvectors": [list(row) for row in self.eigenvectors],
            "unit": "pixels on the scale [0, 1]; a column of eigenvectors for each eigenvalue",
        }


# ILSVRC 2012, train. The paper of AlexNet prints none. These are those of S. Gross, M. Wilber
# (2016), fb.resnet.torch, datasets/imagenet.lua. Their sum, 0.2408, is three times a standard
# deviation of 0.283, squared: they are variances of pixels on the scale [0, 1].
IMAGENET = Components(
    (0.2175, 0.0188, 0.0045),
    ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203)),
)


def components_of(covariance: np.ndarray) -> Components:
    """Returns the components of a covariance of RGB pixels.

    The sign of an eigenvector, which means nothing, is chosen so that its entries sum to no less
    than 0.

    Args:
        covariance: (3, 3), of pixels on the scale [0, 1].

    Raises:
        InputError: it is not that of three channels.
    """
    if covariance.shape != (3, 3):
        raise InputError(f"principal components are those of RGB images, not {len(covariance)}-D")
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    vectors = vectors * np.where(vectors.sum(0) < 0, -1, 1)
    red, green, blue = ((float(a), float(b), float(c)) for a, b, c in vectors)
    first, second, third = map(float, values)
    return Components((first, second, third), (red, green, blue))
