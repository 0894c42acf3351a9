"""Examples in arrays of one shape, in memory or mapped from the disk."""

from __future__ import annotations

import numpy as np

from cnn_jax.data.records import Record


class ArrayRecords:
    """Images and their labels.

    Args:
        images: uint8 (N, H, W, C), C = 1 or 3; may be a view of a mapped file.
        labels: int32 (N,).
        name: of the split, by which messages name an example.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, name: str):
        self._images, self._name = images, name
        self.labels = labels
        self.channels = images.shape[3]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Record:
        image = np.ascontiguousarray(self._images[index])
        return Record(image, int(self.labels[index]), f"{self._name} {index}")
